//! Drives the built program against an emulated AWS: build a world, do one thing, look at the world.
//!
//! `make env` installs what it needs; one file a theme.
#![expect(clippy::disallowed_methods, reason = "a scenario writes the files of its world")]
#![expect(clippy::expect_used, reason = "a world that cannot be built is a failed test")]

mod apps;
mod emulator;
mod github;
mod http;
mod repository;
mod world;

mod adoption;
mod bad_state;
mod chalice_compat;
mod check_and_new;
mod ci;
mod ci_apps;
mod ci_branches;
mod ci_closed;
mod ci_comment;
mod ci_credentials;
mod ci_decide;
mod ci_failures;
mod ci_merge;
mod ci_untrusted;
mod container;
mod deploy;
mod destroy;
mod differential;
mod doctor;
mod errors;
mod formats;
mod github_fake;
mod history;
mod init;
mod kill;
mod packaging;
mod plan;
mod prism;
mod restore;
mod stand_in;
mod state;
mod stopped;
mod store_answers;
mod superseded;
mod sweep;
mod takeover;
mod together;
mod unlock;
mod untrusted;
