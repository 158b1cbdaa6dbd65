//! The program `pantheros-mcp`.

use clap::Parser;

fn main() -> std::process::ExitCode {
    pantheros_mcp::cli::run(pantheros_mcp::cli::CommandLine::parse())
}
