//! Drives the built program against an emulated AWS: build a world, do one thing, look at the world.
//!
//! `make env` installs what it needs; one file a theme.
#![expect(clippy::disallowed_methods, reason = "a scenario writes the files of its world")]
#![expect(clippy::expect_used, reason = "a world that cannot be built is a failed test")]

mod adoption;
mod apps;
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
mod domains;
mod emulator;
mod errors;
mod events;
mod formats;
mod function_urls;
mod gateway;
mod github;
mod github_fake;
mod history;
mod http;
mod http_api;
mod init;
mod invoke;
mod kill;
mod layers;
mod logs;
mod packaging;
mod packaging_index;
mod packaging_limits;
mod packaging_parity;
mod packaging_sources;
mod plan;
mod policy;
mod preview_role;
mod prism;
mod repository;
mod restore;
mod rivals;
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
mod websocket;
mod withheld;
mod world;
