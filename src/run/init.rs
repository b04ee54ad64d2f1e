//! `init`: the branches of a repository become stages. Two files are written, and what is to be done by hand is told.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::Session;
use crate::app::python::Resolution;
use crate::app::yaml::{self, Tree};
use crate::app::{self, App, Severity};
use crate::aws::Access;
use crate::cli::Init;
use crate::config::file::{File, StateEntry};
use crate::config::read::Request;
use crate::config::state_url::StateUrl;
use crate::config::{FILE, Project};
use crate::error::Failure;
use crate::host::Ink;
use crate::host::checkout::Checkout;
use crate::names::{AppName, StageName};
use crate::setup::files::{self, Edited, Verdict};
use crate::setup::guide::{self, DeployRole};
use crate::setup::needs::Needs;
use crate::setup::project_file::{self, Key};
use crate::setup::{Mapping, Setup, iam, shown, workflow};
use crate::state::s3::{self, Made};

mod answers;

/// What is there before anything is written.
struct Found {
    project: Project,
    app: AppName,
    /// `stagewright.yaml`, where there is one.
    file: Option<File>,
    checkout: Checkout,
}

/// What became of a file of the repository.
struct Written {
    /// As it is seen from the repository's root.
    path: PathBuf,
    verdict: Verdict,
}

/// Sets a repository up, so that its branches and pull requests become stages.
///
/// # Errors
///
/// There is no app, something that is needed was neither given nor found, or AWS refuses the bucket. Nothing is written then.
pub async fn init(session: &Session<'_>, wishes: &Init) -> Result<(), Failure> {
    let found = found(session)?;
    let setup = answers::setup(session, wishes, &found)?;
    let stages = stages(&found.project, &setup);
    let apps = read(session, &found.project, &stages).await?;
    let needs = Needs::of(&found.app, &apps);
    let role = DeployRole {
        name: setup.role_name(),
        trust_policy: iam::trust_policy(&setup),
        deploy_policy: iam::deploy_policy(&setup, &regions(&found.project, &setup), &needs),
    };
    let bucket = match wishes.create_bucket {
        true => Some(create_bucket(&found, &setup).await?),
        false => None,
    };
    let edited = if wishes.force { Edited::Goes } else { Edited::Stays };
    let written = write(&found, &setup, edited)?;
    tell_files(session, &setup, bucket, &written);
    tell_gaps(session, &found, &setup);
    if iam::reaches_itself(&setup, &needs) {
        let name = &role.name;
        let text = format!(
            "warning: the policy lets the role `{name}` change itself, since its name begins with `{}-`",
            found.app
        );
        session.host.note(Ink::Careful, &text);
        session
            .host
            .note(Ink::Careful, "hint: give the deploy role a name that begins otherwise");
    }
    session.host.say(&format!("\n{}", guide::guide(&setup, &role)));
    answer(session, (&found, &setup), &role, (bucket, &written));
    Ok(())
}

fn found(session: &Session<'_>) -> Result<Found, Failure> {
    let project = session.project()?;
    let path = project.folder.join(FILE);
    let file = match std::fs::read(&path) {
        Ok(bytes) => {
            let (file, _): (File, Tree) = yaml::parse(Path::new(FILE), &bytes)?;
            Some(file)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(source) => return Err(app::Error::File { path, source }.into()),
    };
    Ok(Found {
        app: project.app_name()?,
        checkout: Checkout::of(&project.folder),
        file,
        project,
    })
}

fn stages(project: &Project, setup: &Setup) -> BTreeSet<StageName> {
    let mut stages = project.stages();
    stages.extend(setup.branches.iter().filter_map(Mapping::fixed_stage));
    stages
}

/// The Regions of all stages; none where not a single one is known.
fn regions(project: &Project, setup: &Setup) -> BTreeSet<String> {
    let stages = project.config.stages.values().chain([&project.config.previews]);
    let configured = stages.filter_map(|stage| stage.region.clone());
    configured.chain(setup.region.clone()).collect()
}

/// The app, as it is on every stage.
async fn read(session: &Session<'_>, project: &Project, stages: &BTreeSet<StageName>) -> Result<Vec<App>, Failure> {
    let uv = session.uv();
    // A secret may be set where the deploy runs, and not here.
    let secret = |name: &str| session.secret(name).ok_or(Severity::Warning);
    let mut apps = Vec::new();
    for stage in stages {
        let configured = project.config.stages.get(stage);
        let request = Request {
            stage,
            region: configured.and_then(|stage| stage.region.as_deref()),
            recorded: None,
            resolution: Resolution::Recorded,
            uv: &uv,
        };
        let read = project.read(request, &secret).await?;
        apps.push(read.app);
    }
    Ok(apps)
}

async fn create_bucket(found: &Found, setup: &Setup) -> Result<Made, Failure> {
    let configured = found.project.config.state.clone();
    let (region, role) = configured.map_or((None, None), |state| (state.region, state.role));
    let access = Access {
        region: region.or_else(|| setup.region.clone()),
        role,
        ..Access::default()
    };
    let (bucket, _) = setup.bucket();
    s3::create(&access, bucket).await.map_err(|fault| {
        if fault.code == "BucketAlreadyExists" {
            let message = format!("the bucket `{bucket}` belongs to somebody else: names of buckets are global");
            return Failure::input(message).hint("name another one with `--state s3://BUCKET/PREFIX`");
        }
        fault.into()
    })
}

fn write(found: &Found, setup: &Setup, edited: Edited) -> Result<Vec<Written>, Failure> {
    let config = setup.project_dir.join(FILE);
    let config = match &found.file {
        Some(_) => Written {
            path: config,
            verdict: Verdict::Unchanged,
        },
        None => {
            let text = project_file::project_file(setup, &found.app);
            let verdict = files::write(&found.project.folder.join(FILE), &text, Edited::Stays)?;
            Written { path: config, verdict }
        }
    };
    let root = found.checkout.root.as_ref().unwrap_or(&found.project.folder);
    let verdict = files::write(&root.join(workflow::FILE), &workflow::workflow(setup), edited)?;
    let workflow = Written {
        path: PathBuf::from(workflow::FILE),
        verdict,
    };
    Ok(vec![config, workflow])
}

fn tell_files(session: &Session<'_>, setup: &Setup, bucket: Option<Made>, written: &[Written]) {
    let mut lines: Vec<(String, &str)> = Vec::new();
    if let Some(made) = bucket {
        let (name, _) = setup.bucket();
        lines.push((format!("s3://{name}"), bucket_word(made)));
    }
    lines.extend(written.iter().map(|file| (shown(&file.path), file.verdict.word())));
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, word) in lines {
        session.host.say(&format!("  {name:width$}  {word}\n"));
    }
    for file in written.iter().filter(|file| file.verdict == Verdict::Kept) {
        let text = guide::of_an_edited_workflow(&shown(&file.path));
        session.host.note(Ink::Careful, &format!("warning: {text}"));
    }
}

fn bucket_word(made: Made) -> &'static str {
    match made {
        Made::Now => "made: private, versioned, encrypted",
        Made::Before => "was there: private, versioned, encrypted now",
    }
}

/// An existing `stagewright.yaml` is its owner's: what it lacks is told, and not written.
fn tell_gaps(session: &Session<'_>, found: &Found, setup: &Setup) {
    let lacks = gaps(found);
    if lacks.is_empty() {
        return;
    }
    let text = project_file::additions(setup, &found.app, &lacks);
    session.host.note(
        Ink::Careful,
        &format!("warning: runs on GitHub need more in {FILE}, which was left as it is; add:\n\n{text}"),
    );
}

fn gaps(found: &Found) -> Vec<Key> {
    let Some(file) = &found.file else { return Vec::new() };
    let mut lacks = Vec::new();
    if file.app.is_none() {
        lacks.push(Key::App);
    }
    if bucket_of(file).is_none() {
        lacks.push(Key::State);
    }
    if file.branches.is_empty() {
        lacks.push(Key::Branches);
    }
    lacks
}

/// The bucket that a file names; a folder would be gone with the machine that a run has.
fn bucket_of(file: &File) -> Option<StateUrl> {
    let url = match &file.state.as_ref()?.value {
        StateEntry::Url(url) => url,
        StateEntry::Fields(fields) => &fields.url.value,
    };
    match url.parse().ok()? {
        bucket @ StateUrl::Bucket { .. } => Some(bucket),
        StateUrl::Folder(_) => None,
    }
}

fn answer(
    session: &Session<'_>,
    (found, setup): (&Found, &Setup),
    role: &DeployRole,
    (bucket, written): (Option<Made>, &[Written]),
) {
    let mut object = guide::object(setup, role);
    object["app"] = json!(found.app);
    object["files"] = written
        .iter()
        .map(|file| json!({"path": shown(&file.path), "outcome": file.verdict.word()}))
        .collect();
    object["add"] = json!(project_file::additions(setup, &found.app, &gaps(found)));
    object["bucket"] = json!({
        "name": setup.bucket().0,
        "outcome": bucket.map(|made| match made { Made::Now => "made", Made::Before => "unchanged" }),
    });
    session.host.answer(&object);
}
