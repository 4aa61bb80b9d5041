//! One program for all tests that need no process of their own: what is common to them is compiled and linked once.

mod api;
mod axum_app;
mod canary;
mod cookie_sessions;
mod decode;
mod device;
mod faults;
mod journey;
mod login;
mod loopback;
mod manager;
mod not_signed_in;
mod outcomes;
mod parking;
mod released;
mod session;
mod simulation;
mod single_flight;
mod steps;
mod support;
mod survival;
mod tls;
mod token;
mod token_session;
mod values;
mod wire;
