//! What the commands and the live page have in common: what can be asked of a picture, and how what is found in it
//! is drawn.

pub mod annotate;
pub mod draw;
pub mod question;
pub mod stages;
