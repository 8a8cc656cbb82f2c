//! Every carrier against the exchange that plays it: what the one asks for the other does, and what the other tells is
//! understood.

mod house;
mod transfers;
