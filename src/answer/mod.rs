//! What the commands and the live page have in common: what can be asked of a picture, what is found in it, and how that
//! is drawn.

pub mod annotate;
pub mod draw;
pub mod found;
pub mod question;
pub mod stages;
