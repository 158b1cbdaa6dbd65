//! The program `pantheros-mcp`.

use clap::Parser;

fn main() -> std::process::ExitCode {
    pantheros_mcp::run(pantheros_mcp::CommandLine::parse())
}
