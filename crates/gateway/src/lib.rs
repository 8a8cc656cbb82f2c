//! The shell: runs calls, serves carriers and owners, and is the command `offhook`.

pub mod config;
