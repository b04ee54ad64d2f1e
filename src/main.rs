//! Stagewright: a team's git branches become running stages on AWS.

mod app;
mod config;
mod fault;
mod names;
mod resource;
mod variable;

fn main() {}
