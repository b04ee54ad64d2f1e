//! What a repository is set up with: from options, from what is there, and from whoever is asked.

use std::path::PathBuf;

use super::{Found, bucket_of};
use crate::app::limits::{check_region, check_role_arn};
use crate::cli::Init;
use crate::config::FILE;
use crate::config::file::File;
use crate::config::state_url::StateUrl;
use crate::error::Failure;
use crate::host::terminal;
use crate::run::Session;
use crate::setup::questions::{Manner, Need, Question, Unanswered};
use crate::setup::{Mapping, Repository, Setup};
use crate::stage::branches::Branch;

/// Gathers the answers.
///
/// # Errors
///
/// Something that is needed was neither given nor may be asked, or an answer is none.
pub fn setup(session: &Session<'_>, wishes: &Init, found: &Found) -> Result<Setup, Failure> {
    let manner = match (wishes.yes, terminal::is_attended()) {
        (true, _) => Manner::Found,
        (false, true) => Manner::Asked(&terminal::ask),
        (false, false) => Manner::Told,
    };
    let mut unanswered = Unanswered::default();
    let origin = found.checkout.origin.as_deref().and_then(Repository::of_remote);
    let repository = unanswered.answer(
        Question {
            flag: "--repository",
            text: "The repository on GitHub",
            given: wishes.repository.clone(),
            found: origin.map(|origin| origin.to_string()),
            need: Need::Required,
        },
        manner,
    );
    let repository = repository.map(|text| parsed("--repository", &text)).transpose()?;
    let state = unanswered.answer(state_question(session, found, repository.as_ref())?, manner);
    let region = unanswered.answer(region_question(session, wishes, found), manner);
    let role = unanswered.answer(role_question(wishes), manner);
    let default_branch = default_branch(found);
    let branches = match mapped(found.file.as_ref()) {
        mapped if mapped.is_empty() => asked_branches(wishes, (found, &default_branch), &mut unanswered, manner)?,
        mapped => agreeing(wishes, mapped)?,
    };
    let (Some(repository), Some(state)) = (repository, state) else {
        return Err(missing(&unanswered));
    };
    let check = |flag: &str, text: Option<&String>, check: fn(&str) -> Result<(), String>| match text {
        Some(text) => check(text).map_err(|why| Failure::input(format!("{flag}: {why}"))),
        None => Ok(()),
    };
    check("--region", region.as_ref(), check_region)?;
    check("--role", role.as_ref(), check_role_arn)?;
    Ok(Setup {
        repository,
        default_branch,
        branches,
        state: bucket(&state)?,
        region,
        role,
        project_dir: project_dir(found),
    })
}

fn missing(unanswered: &Unanswered) -> Failure {
    let flags = unanswered.flags();
    let named: Vec<String> = flags.iter().map(|flag| format!("`{flag}`")).collect();
    let are = if flags.len() == 1 { "is" } else { "are" };
    let failure = Failure::input(format!(
        "{} {are} missing, and nobody can be asked here",
        named.join(" and ")
    ));
    match unanswered.proposed() {
        Some(found) => failure.hint(format!("give it, or take what was found with `--yes`: {found}")),
        None => failure.hint("give it, or run this in a terminal"),
    }
}

fn parsed<T>(flag: &str, text: &str) -> Result<T, Failure>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.parse()
        .map_err(|error: T::Err| Failure::input(format!("{flag}: {error}")))
}

fn bucket(text: &str) -> Result<StateUrl, Failure> {
    match parsed("--state", text)? {
        bucket @ StateUrl::Bucket { .. } => Ok(bucket),
        StateUrl::Folder(folder) => Err(Failure::input(format!(
            "--state: `{}` is a folder, and a run on GitHub leaves none behind",
            folder.display()
        ))
        .hint("name a bucket: `--state s3://BUCKET/PREFIX`")),
    }
}

/// What the file says is what every command goes by, so that an option may only repeat it.
fn state_question(session: &Session<'_>, found: &Found, repository: Option<&Repository>) -> Result<Question, Failure> {
    let configured = found.file.as_ref().and_then(bucket_of).map(|bucket| bucket.to_string());
    let told = session.options.state.clone();
    if let (Some(told), Some(configured)) = (&told, &configured)
        && told.trim_end_matches('/') != configured
    {
        return Err(
            Failure::input(format!("`--state` says `{told}`, and {FILE} says `{configured}`"))
                .hint(format!("leave `--state` out, or change {FILE}")),
        );
    }
    Ok(Question {
        flag: "--state",
        text: "The bucket of the state",
        given: configured.or(told),
        found: repository.map(proposed_bucket),
        need: Need::Required,
    })
}

/// One bucket an owner, with a folder for each repository. S3 takes no dots without trouble, and no capitals at all.
fn proposed_bucket(repository: &Repository) -> String {
    let owner = repository.owner.to_ascii_lowercase().replace(['.', '_'], "-");
    format!("s3://{}-stagewright/{}", owner.trim_matches('-'), repository.name)
}

fn region_question(session: &Session<'_>, wishes: &Init, found: &Found) -> Question {
    let configured = found
        .project
        .config
        .stages
        .values()
        .find_map(|stage| stage.region.clone());
    let variable = || {
        session
            .secret("AWS_REGION")
            .or_else(|| session.secret("AWS_DEFAULT_REGION"))
    };
    Question {
        flag: "--region",
        text: "The Region of the stages",
        given: wishes.region.clone(),
        found: configured.or_else(variable),
        need: Need::Optional,
    }
}

fn role_question(wishes: &Init) -> Question {
    Question {
        flag: "--role",
        text: "The ARN of the role that deploys, if there is one already",
        given: wishes.role.clone(),
        found: None,
        need: Need::Optional,
    }
}

/// What the remote says; else one of the two usual names; else what is checked out.
fn default_branch(found: &Found) -> String {
    let checkout = &found.checkout;
    let usual = || {
        let usual = ["main", "master"].into_iter().find(|name| checkout.has_branch(name));
        usual.map(ToOwned::to_owned)
    };
    let known = checkout.remote_default.clone().or_else(usual);
    known
        .or_else(|| checkout.checked_out.clone())
        .unwrap_or_else(|| "main".to_owned())
}

fn mapped(file: Option<&File>) -> Vec<Mapping> {
    let table = file.into_iter().flat_map(|file| file.branches.iter());
    table
        .map(|(branch, stage)| Mapping::new(branch.value.clone(), stage.value.clone()))
        .collect()
}

/// The file maps branches already: an option may only repeat what it says.
fn agreeing(wishes: &Init, mapped: Vec<Mapping>) -> Result<Vec<Mapping>, Failure> {
    let told = [
        ("--production-branch", &wishes.production_branch, "prod"),
        ("--beta-branch", &wishes.beta_branch, "beta"),
    ];
    for (flag, branch, stage) in told {
        let Some(branch) = branch.as_ref().filter(|branch| *branch != "-") else {
            continue;
        };
        if !mapped.contains(&Mapping::new(branch.as_str(), stage)) {
            let message = format!("{flag}: {FILE} does not map `{branch}` to stage `{stage}`");
            return Err(Failure::input(message).hint(format!("leave it out, or change `branches` in {FILE}")));
        }
    }
    Ok(mapped)
}

fn asked_branches(
    wishes: &Init,
    (found, default_branch): (&Found, &str),
    unanswered: &mut Unanswered,
    manner: Manner<'_>,
) -> Result<Vec<Mapping>, Failure> {
    let production = unanswered.answer(
        Question {
            flag: "--production-branch",
            text: "The branch that is stage `prod`",
            given: wishes.production_branch.clone(),
            found: Some(default_branch.to_owned()),
            need: Need::Optional,
        },
        manner,
    );
    let production = production.unwrap_or_else(|| default_branch.to_owned());
    let is_free = production != "develop" && found.checkout.has_branch("develop");
    let beta = unanswered.answer(
        Question {
            flag: "--beta-branch",
            text: "The branch that is stage `beta`, or `-`",
            given: wishes.beta_branch.clone(),
            found: is_free.then(|| "develop".to_owned()),
            need: Need::Optional,
        },
        manner,
    );
    let beta = beta.filter(|branch| branch != "-");
    if beta.as_ref() == Some(&production) {
        return Err(Failure::input(format!(
            "`{production}` cannot be both stage `prod` and stage `beta`"
        )));
    }
    let told = [
        ("--production-branch", Some(production), "prod"),
        ("--beta-branch", beta, "beta"),
    ];
    let mut mappings = Vec::new();
    for (flag, branch, stage) in told {
        let Some(branch) = branch else { continue };
        Branch::new(&branch, stage).map_err(|error| Failure::input(format!("{flag}: {error}")))?;
        mappings.push(Mapping::new(branch, stage));
    }
    Ok(mappings)
}

/// The project's folder as it is seen from the repository's root; nothing where it is the root.
fn project_dir(found: &Found) -> PathBuf {
    let root = found.checkout.root.as_ref();
    let inner = root.and_then(|root| found.project.folder.strip_prefix(root).ok());
    inner.map(ToOwned::to_owned).unwrap_or_default()
}
