//! tones
