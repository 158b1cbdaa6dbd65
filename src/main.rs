//! The `pantheros-mcp` program: parse the command line, hand over; nothing else.

fn main() {}
