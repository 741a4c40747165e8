//! HTTP: routes, headers, status codes, SSE.
