//! evcc, a controller of chargers: cleared prices as the forecast of one of its custom tariffs, and its charging plans as wishes.
//!
//! | module | what |
//! |---|---|
//! | [`mod@forecast`] | `[{"start","end","value"}]`, EUR/kWh, as `tariffs: {grid: {type: custom, forecast: …}}` reads it |
//! | [`plan`] | the answer of `GET /api/loadpoints/{id}/plan` |
//!
//! Formats: `api/rates.go` and `server/http_loadpoint_handler.go` of evcc, November 2026.
#![forbid(unsafe_code)]

pub mod forecast;
pub mod plan;

pub use forecast::{Side, forecast};
pub use plan::{PlanFault, read_plan};
