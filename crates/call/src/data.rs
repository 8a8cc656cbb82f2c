//! Data whose shape somebody else decides: what JSON can hold, and no more.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

/// A piece of data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Data {
    /// Nothing.
    Nothing,
    /// Yes or no.
    Truth(bool),
    /// A whole number below zero.
    Below(i64),
    /// A whole number from zero up.
    Whole(u64),
    /// Any other number.
    Real(Real),
    /// Words.
    Text(String),
    /// Several, in order.
    List(Vec<Self>),
    /// Several, by their names.
    Named(BTreeMap<String, Self>),
}

/// A number with a fraction, which is the same as another where all its bits are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Real(u64);

impl From<f64> for Real {
    fn from(number: f64) -> Self {
        Self(number.to_bits())
    }
}

impl Serialize for Real {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(f64::from_bits(self.0))
    }
}
