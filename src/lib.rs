//! Cinema: a time-travel debugger for OTP systems.
//!
//! Floors, from the ground up; each imports only what is below it (`tests/house.rs` holds it so):
//! [`model`] · [`codec`], [`store`] · [`sandbox`] · [`timeline`], [`breakpoint`], [`analysis`] ·
//! [`session`] · [`view`] · [`render`], [`export`] · [`script`] · [`app`], [`bench`], [`fuzz`].

pub mod model;

pub mod codec;
pub mod store;

pub mod sandbox;

pub mod analysis;
pub mod breakpoint;
pub mod timeline;

pub mod session;

pub mod view;

pub mod export;
pub mod render;

pub mod script;

pub mod app;
pub mod bench;
pub mod fuzz;
