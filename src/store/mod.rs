//! SQL on two databases behind one door.
