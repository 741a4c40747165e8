//! What a server does with a method.
