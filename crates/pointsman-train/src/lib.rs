//! Learns a policy's scorer from full information or from a log, and chooses how much to trust it.
