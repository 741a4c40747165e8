//! MCP over HTTP from the other side.
