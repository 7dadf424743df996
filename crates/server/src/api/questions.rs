//! What `bramble` says about a cluster: plan, state, certificates. Nothing is changed by it.

use super::audit::note;
use super::caller::Viewer;
use super::problem::{Body, Problem, Refused};
use super::state::App;
use crate::auth::Caller;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use bramble_store::Typed;
use bramble_store::record::{Cluster, Origin, Role};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A question about a cluster.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Question {
    /// What is asked.
    about: About,
    /// Only these steps of a plan.
    #[serde(default)]
    steps: Vec<String>,
    /// Only these machines of a plan.
    #[serde(default)]
    machines: Vec<String>,
    /// A cluster file instead of the one that is kept; for operators.
    #[serde(default)]
    file: Option<String>,
    /// Whether a plan with changes ends with 3.
    #[serde(default)]
    exit_code: bool,
    /// Whether the answer is JSON rather than text for people.
    #[serde(default)]
    json: bool,
}

/// What can be asked.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum About {
    /// What `up` would change.
    Plan,
    /// What `down` would take away.
    PlanDown,
    /// Whether the file has mistakes.
    Check,
    /// Whether all is well.
    Status,
    /// Members of etcd.
    EtcdMembers,
    /// Snapshots of etcd.
    EtcdSnapshots,
    /// How long certificates last.
    Certificates,
    /// How to reach the API as its administrator; for operators.
    Kubeconfig,
}

impl About {
    fn words(self) -> &'static [&'static str] {
        match self {
            About::Plan => &["plan"],
            About::PlanDown => &["plan", "--down"],
            About::Check => &["check"],
            About::Status => &["status"],
            About::EtcdMembers => &["etcd", "members"],
            About::EtcdSnapshots => &["etcd", "snapshots"],
            About::Certificates => &["certs", "status"],
            About::Kubeconfig => &["kubeconfig", "--print"],
        }
    }
}

/// What the program said.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    /// Its exit code, as at a terminal; absent if it was killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<i32>,
    /// Its result.
    stdout: String,
    /// What it said besides.
    stderr: String,
}

/// Asks about a cluster, as `bramble plan`, `bramble status` and others do.
#[utoipa::path(post, path = "/clusters/{name}/questions", tag = "clusters", request_body = Question,
    params(("name" = String, Path)), responses(
    (status = 200, body = Answer), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 422, body = Problem),
    (status = 504, body = Problem, description = "it takes too long"),
))]
pub(super) async fn ask(
    Viewer(caller): Viewer,
    State(app): State<App>,
    Path(name): Path<String>,
    Body(question): Body<Question>,
) -> Result<Json<Answer>, Refused> {
    let secret = question.about == About::Kubeconfig;
    // A file says which machines the daemon connects to.
    if caller.role < Role::Operator {
        let caller = &caller.name;
        if secret {
            let why = format!("{caller} is viewer; this is for operators");
            return Err(Refused::forbidden(why));
        }
        if question.file.is_some() {
            let why = format!("{caller} is viewer; a cluster file of one's own is for operators");
            let hint = format!("ask about the cluster as the daemon knows it: --cluster {name}");
            return Err(Refused::forbidden(why).hint(hint));
        }
    }
    let words = words(&question)?;
    let file = match question.file {
        Some(file) => {
            super::clusters::named(&file, &name)?;
            file
        }
        None => {
            let cluster = app.store.need::<Cluster>(&name).await?.it;
            if cluster.origin == Some(Origin::Ccp) {
                return of_platform(&app, &caller, &question, &name).await.map(Json);
            }
            cluster.file
        }
    };
    if secret {
        given_out(&app, &caller, &name).await?;
    }
    let said = app.asker.ask(&words, &file).await?;
    Ok(Json(Answer {
        code: said.status.code(),
        stdout: String::from_utf8_lossy(&said.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&said.stderr).into_owned(),
    }))
}

async fn given_out(app: &App, caller: &Caller, cluster: &str) -> Result<(), Refused> {
    let what = format!("administrator's access to cluster {cluster} given out");
    note(app, caller, what).await
}

/// What there is to say of a cluster that a platform made: its machines are the platform's.
async fn of_platform(
    app: &App,
    caller: &Caller,
    question: &Question,
    cluster: &str,
) -> Result<Answer, Refused> {
    if question.about != About::Kubeconfig {
        let what =
            format!("cluster {cluster} is Cisco Container Platform's: it has a kubeconfig alone");
        return Err(Refused::wrong(what).hint("ask the platform, or the cluster's own API"));
    }
    let path = crate::origins::kubeconfig(&app.runs.settings().data, cluster);
    let text = match tokio::fs::read_to_string(&path).await {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let what = format!("cluster {cluster} has no kubeconfig");
            return Err(Refused::conflict(what).hint("it has one once it is up"));
        }
        Err(error) => return Err(Refused::broken(&error)),
    };
    given_out(app, caller, cluster).await?;
    Ok(Answer {
        code: Some(0),
        stdout: text,
        stderr: String::new(),
    })
}

fn words(question: &Question) -> Result<Vec<String>, Refused> {
    let mut words: Vec<String> = question.about.words().iter().map(|w| (*w).into()).collect();
    let plan = matches!(question.about, About::Plan | About::PlanDown);
    let part = !question.steps.is_empty() || !question.machines.is_empty();
    if !plan && (part || question.exit_code) {
        return Err(Refused::wrong(
            "only a plan has steps, machines and that exit code",
        ));
    }
    let parts = [
        ("--step", &question.steps),
        ("--machine", &question.machines),
    ];
    for (option, values) in parts {
        // One word each: a value that looks like an option stays a value.
        words.extend(values.iter().map(|value| format!("{option}={value}")));
    }
    if question.exit_code {
        words.push("--exit-code".into());
    }
    if question.json {
        words.push("--output=json".into());
    }
    Ok(words)
}

impl From<crate::ask::Error> for Refused {
    fn from(error: crate::ask::Error) -> Self {
        match error {
            crate::ask::Error::Late => Self::new(StatusCode::GATEWAY_TIMEOUT, error.to_string())
                .hint("some machines answer late or not at all; ask again"),
            crate::ask::Error::Program(_) => Self::broken(&error),
        }
    }
}
