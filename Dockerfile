# The action's image: the program, and the Python and uv that it packages Python apps with.
# It compiles the program. A release has binaries by then and builds `Dockerfile.prebuilt`, whose runtime is the same.
#
# GitHub's contract: no USER (files of the workspace are root's to write), no WORKDIR, and an ENTRYPOINT in exec form,
# so that a cancelled job's signal reaches the program, which is process 1.

FROM ghcr.io/astral-sh/uv:0.13.9 AS uv

# It brings the CA roots, a `sh` for builds, and a Python that every user may read: apps are imported as `nobody`.
FROM python:3.13-slim-trixie AS runtime
COPY --from=uv /uv /usr/local/bin/uv
ENTRYPOINT ["/usr/local/bin/stagewright"]

FROM rust:1.95.0-slim-trixie AS build
WORKDIR /build
# An explicit target keeps the flag away from build scripts and proc macros, which cannot be static.
ENV RUSTFLAGS="-C target-feature=+crt-static"
# Dependencies are a layer of their own, which only the lock file changes.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src \
    && echo 'fn main() {}' > src/main.rs \
    && cargo build --locked --release --target "$(rustc --print host-tuple)"
COPY src src
COPY templates templates
# Cargo compares times, and those of a checkout may be older than the stand-in's.
RUN touch src/main.rs \
    && cargo build --locked --release --target "$(rustc --print host-tuple)" \
    && cp "target/$(rustc --print host-tuple)/release/stagewright" /stagewright

FROM runtime
COPY --from=build /stagewright /usr/local/bin/stagewright
