//! Everything tabular: outcome tables, traffic logs, joins, splits, simulation of logs.
