//! The Chalice front-end: `.chalice/config.json` and `app.py` become an `App`, as Chalice itself understands them.

mod config;
mod json;
mod schema;
