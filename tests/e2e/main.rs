//! Pointsman from outside: the binary as people run it, the files that must load for ever, and
//! the rules of the tree. One binary, because each one links the whole workspace again.
#![cfg(test)]

mod tables;
mod workbench;

mod edges;
mod gate;
mod golden;
mod imports;
mod journals;
mod journey;
mod mistakes;
mod ope;
mod points;
mod published;
mod real_data;
mod same_bits;
mod snapshots;
mod trust;
mod undrawn;
