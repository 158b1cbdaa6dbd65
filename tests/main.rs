//! The integration tests are one program, since each further one would link the whole server once more. Each file or
//! folder here is a module of it (`cargo test --test all plan::`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

mod anywhere;
mod approvals;
mod audit_lock;
mod build_logs;
mod clients;
mod deploy;
mod deploy_binding;
mod deploy_clients;
mod deploy_ends;
mod deploy_faults;
mod deploy_fleet;
mod deploy_http;
mod deploy_rev;
mod deploy_script;
mod deploy_select;
mod deploy_stopped;
mod deploy_user;
mod diagnostics;
mod docs;
mod documents;
mod effects;
mod ends;
mod errors;
mod facts;
mod fleet;
mod forms;
mod generations;
mod golden;
mod guide;
mod heartbeat;
mod hostile;
mod hosts;
mod http;
mod http_clients;
mod http_limits;
mod logs;
mod machines;
mod offline;
mod overrides;
mod package;
mod plan;
mod protocol;
mod questions;
mod reload;
mod repository;
mod search;
mod settings;
mod stale;
mod structure;
mod supervisor;
mod tools;
mod workflows;
