//! The integration tests: one binary, a module for each room of the house.

mod call;
mod client;
mod faulty;
mod second_opinion;
