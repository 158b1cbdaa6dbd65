//! The `pantheros-mcp` program: parse the command line, hand over; nothing else.

use clap::Parser;

fn main() -> std::process::ExitCode {
    pantheros_mcp::cli::run(pantheros_mcp::cli::CommandLine::parse())
}
