//! Clusters.

use super::audit::note;
use super::caller::{Operator, Viewer};
use super::lifetime::lifetime;
use super::names::label;
use super::problem::{Body, Problem, Refused};
use super::state::App;
use crate::origins::Wish as Wished;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use bramble_store::record::{Cluster, Phase, Role, Run};
use bramble_store::{Key, Kind, Stored, Typed};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use utoipa::ToSchema;

/// A cluster.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Cluster)]
pub(super) struct View {
    /// Name.
    name: String,
    /// What it is at the moment.
    phase: Phase,
    /// Why it is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// Where its API answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// Who made it.
    owner: String,
    /// When it was made here.
    #[schema(value_type = String, format = DateTime)]
    created: Timestamp,
    /// When it is taken down by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires: Option<Timestamp>,
    /// Its last run.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    /// The cluster file; only for those who may change it, and only for one cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// What is sent back with a changed file.
    version: String,
}

impl View {
    fn of(stored: Stored<Cluster>, with_file: bool) -> Self {
        let Stored { name, version, it } = stored;
        Self {
            run: (it.runs > 0).then(|| format!("{name}-{}", it.runs)),
            name,
            phase: it.phase,
            message: it.message,
            address: it.address,
            owner: it.owner,
            created: it.created,
            expires: it.expires,
            file: with_file.then_some(it.file),
            version,
        }
    }
}

/// A cluster to be made known. Nothing is done on its machines before a run.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewCluster)]
pub(super) struct Wish {
    /// The cluster file; its name is the cluster's.
    file: String,
}

/// A changed file.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ChangedCluster)]
pub(super) struct Changed {
    /// The cluster file; it has the same name.
    file: String,
    /// The version that it was read at: nobody overwrites what they have not seen.
    version: String,
}

/// All clusters.
#[utoipa::path(get, path = "/clusters", operation_id = "clusters", tag = "clusters", responses(
    (status = 200, body = Vec<View>), (status = 401, body = Problem),
))]
pub(super) async fn list(_: Viewer, State(app): State<App>) -> Result<Json<Vec<View>>, Refused> {
    let all = app.store.all::<Cluster>().await?;
    Ok(Json(all.into_iter().map(|c| View::of(c, false)).collect()))
}

/// One cluster.
#[utoipa::path(get, path = "/clusters/{name}", operation_id = "cluster",
    tag = "clusters", params(("name" = String, Path)), responses(
    (status = 200, body = View), (status = 401, body = Problem), (status = 404, body = Problem),
))]
pub(super) async fn one(
    Viewer(caller): Viewer,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<View>, Refused> {
    let found = app.store.need::<Cluster>(&name).await?;
    Ok(Json(View::of(found, caller.role >= Role::Operator)))
}

/// Makes a cluster known.
#[utoipa::path(post, path = "/clusters", operation_id = "makeCluster", tag = "clusters", request_body = Wish, responses(
    (status = 201, body = View), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 409, body = Problem), (status = 422, body = Problem, description = "the file has mistakes"),
))]
pub(super) async fn make(
    Operator(caller): Operator,
    State(app): State<App>,
    Body(wish): Body<Wish>,
) -> Result<(StatusCode, Json<View>), Refused> {
    let name = name_of(&wish.file)?;
    let cluster = Cluster {
        file: wish.file,
        origin: None,
        claim: None,
        owner: caller.name.clone(),
        created: Timestamp::now(),
        expires: None,
        lifetime: None,
        phase: Phase::New,
        message: None,
        address: None,
        runs: 0,
    };
    let made = app.store.add(&name, cluster).await?;
    note(&app, &caller, format!("cluster {name} made known")).await?;
    Ok((StatusCode::CREATED, Json(View::of(made, true))))
}

/// A cluster after a template.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = NewClusterAfterTemplate)]
pub(super) struct Templated {
    /// Name: a DNS label.
    name: String,
    /// The template.
    template: String,
    /// After how many seconds it is taken down by itself, 60 to ten years; counted anew when it comes up again.
    #[serde(default)]
    lifetime: Option<u64>,
}

/// Makes a cluster known after a template, with machines of its own.
#[utoipa::path(post, path = "/clusters/from-template", operation_id = "makeClusterAfterTemplate",
    tag = "clusters", request_body = Templated, responses(
    (status = 201, body = View), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem),
))]
pub(super) async fn from_template(
    Operator(caller): Operator,
    State(app): State<App>,
    Body(wish): Body<Templated>,
) -> Result<(StatusCode, Json<View>), Refused> {
    label(&wish.name)?;
    lifetime("lifetime", wish.lifetime)?;
    let (name, template) = (&wish.name, &wish.template);
    let made = app.origins.make(Wished {
        name,
        template,
        plugin: None,
        lifetime: wish.lifetime,
        owner: &caller.name,
    });
    let made = made.await?;
    let what = format!("cluster {name} made known after template {template}");
    note(&app, &caller, what).await?;
    Ok((StatusCode::CREATED, Json(View::of(made, true))))
}

/// Changes a cluster's file. A run makes it so.
#[utoipa::path(put, path = "/clusters/{name}", operation_id = "changeCluster", tag = "clusters", request_body = Changed,
    params(("name" = String, Path)), responses(
    (status = 200, body = View), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem),
))]
pub(super) async fn replace(
    Operator(caller): Operator,
    State(app): State<App>,
    Path(name): Path<String>,
    Body(changed): Body<Changed>,
) -> Result<Json<View>, Refused> {
    named(&changed.file, &name)?;
    let mut found = app.store.need::<Cluster>(&name).await?;
    if found.it.origin.is_some() && machines(&changed.file) != machines(&found.it.file) {
        return Err(Refused::wrong(
            "the file has other machines than those that the cluster was given",
        )
        .hint("leave `machines` as they are; another cluster has others"));
    }
    found.version = changed.version;
    found.it.file = changed.file;
    let saved = app.store.save(found).await?;
    note(&app, &caller, format!("file of cluster {name} changed")).await?;
    Ok(Json(View::of(saved, true)))
}

/// Forgets a cluster of which nothing is left on any machine, with its runs.
#[utoipa::path(delete, path = "/clusters/{name}", operation_id = "deleteCluster",
    tag = "clusters", params(("name" = String, Path)), responses(
    (status = 204), (status = 401, body = Problem), (status = 403, body = Problem),
    (status = 404, body = Problem), (status = 409, body = Problem),
))]
pub(super) async fn delete(
    Operator(caller): Operator,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Refused> {
    let found = app.store.need::<Cluster>(&name).await?;
    if !matches!(found.it.phase, Phase::New | Phase::Gone) {
        return Err(Refused::conflict(format!("cluster {name} is not gone"))
            .hint("take it down first: a run with the verb `down`"));
    }
    let runs = app.store.all::<Run>().await?;
    let runs: Vec<_> = runs.into_iter().filter(|r| r.it.cluster == name).collect();
    if let Some(run) = runs.iter().find(|run| !run.it.state.is_over()) {
        return Err(crate::runs::Error::Busy {
            run: run.name.clone(),
        }
        .into());
    }
    let key = Key::new(Kind::Cluster, &name);
    app.store.delete(&key, Some(&found.version)).await?;
    for run in runs {
        app.runs.forget(&run.name).await?;
    }
    note(&app, &caller, format!("cluster {name} forgotten")).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Where the machines of a file are.
fn machines(file: &str) -> Vec<(String, IpAddr)> {
    let file = bramble_spec::load("bramble.yaml", file);
    let machines = file.map(|file| file.machines).unwrap_or_default();
    machines.into_iter().map(|m| (m.name, m.address)).collect()
}

/// Whether a file is that cluster's, without mistakes.
pub(super) fn named(file: &str, name: &str) -> Result<(), Refused> {
    let said = name_of(file)?;
    if said == name {
        return Ok(());
    }
    Err(
        Refused::wrong(format!("the file is of {said:?}, not of {name:?}"))
            .hint("a cluster keeps its name; another one is made anew"),
    )
}

/// The name in a file that has no mistakes and can be used here.
fn name_of(file: &str) -> Result<String, Refused> {
    let cluster = bramble_spec::load("bramble.yaml", file);
    let cluster = cluster.map_err(|problems| Refused::wrong(problems.to_string()))?;
    match cluster.companions().first() {
        None => Ok(cluster.name),
        // Whoever may make clusters may not read the daemon's files by it.
        Some(path) => Err(Refused::wrong(format!(
            "the file names {path}, which the daemon does not have"
        ))
        .hint("a file that the daemon keeps stands alone; such a cluster is brought up by `bramble up`")),
    }
}
