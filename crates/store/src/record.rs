//! What documents of each kind say. Times are in UTC.

mod button;
mod cluster;
mod light;
mod people;
mod pool;
mod run;

pub use button::{Button, Profile};
pub use cluster::{Cluster, Phase};
pub use light::{LightRules, LightState};
pub use people::{Role, Session, Token, User};
pub use pool::{Claim, Machine, Origin, Template};
pub use run::{Actor, End, Host, Progress, Run, State, Verb};
