//! Simulated worlds with known truth; for tests, benches and the sample only.
