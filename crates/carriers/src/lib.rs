//! The phone companies offhook speaks to, one folder each.
//!
//! To add one, add its folder and its name to the list below. Nothing else in the house may know
//! it: what a carrier can do is in the [`Carrier`](ports::carrier::Carrier) that its entry builds,
//! and what it cannot do is absent from it.

mod imprint;
mod machines;
mod rest;
mod socket;
mod xml;

use ports::carrier::Entry;

/// Declares the folder of each carrier and puts its entry on the list.
macro_rules! carriers {
    ($($name:ident,)*) => {
        $(pub mod $name;)*

        /// Every carrier there is, in the order of their names.
        pub const LIST: &[Entry] = &[$($name::ENTRY,)*];
    };
}

carriers! {
    plivo,
    telnyx,
    twilio,
}
