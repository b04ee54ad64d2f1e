#!/usr/bin/env bash
# Makes the tag of a release, or checks one; why it is made so stands in `workflows/release.yml`.
#
#   tag-release.sh X.Y.Z                     on a commit of main; pushes nothing
#   tag-release.sh --check vX.Y.Z OWNER/NAME
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "$1" >&2
    exit 1
}

# Where action.yml names the image of a version.
pinned() {
    local repository=$1 tag=$2
    sed "s|^  image: Dockerfile\$|  image: docker://ghcr.io/${repository,,}:$tag|"
}

version_of() {
    git show "$1:Cargo.toml" | sed -n 's/^version = "\(.*\)"$/\1/p' | head -n 1
}

check() {
    local tag=$1 repository=$2
    [[ $tag =~ ^v[0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "$tag is no version like v1.2.3"
    [ "v$(version_of "$tag")" = "$tag" ] || fail "Cargo.toml of $tag says $(version_of "$tag")"
    git merge-base --is-ancestor "$tag^" origin/main || fail "the parent of $tag is not on main"
    [ "$(git diff --name-only "$tag^" "$tag")" = action.yml ] || fail "$tag changes more than action.yml"
    [ "$(git show "$tag:action.yml")" = "$(git show "$tag^:action.yml" | pinned "$repository" "$tag")" ] ||
        fail "action.yml of $tag does not name its image, or changes something else"
    echo "$tag is main's $(git rev-parse --short "$tag^"), with its image named"
}

make_tag() {
    local tag="v$1" folder repository
    [ "v$(version_of HEAD)" = "$tag" ] || fail "Cargo.toml says $(version_of HEAD): raise it on main first"
    repository=$(git remote get-url origin | sed -nE 's#^.*[/:]([^/:]+/[^/]+)$#\1#p' | sed 's/\.git$//')
    [ -n "$repository" ] || fail "origin does not say OWNER/NAME"
    folder=$(mktemp -d)
    # shellcheck disable=SC2064 # The value of now is meant.
    trap "git worktree remove --force '$folder/tree' 2>/dev/null; rm -rf '$folder'" EXIT
    git worktree add --quiet --detach "$folder/tree" HEAD
    pinned "$repository" "$tag" <action.yml >"$folder/tree/action.yml"
    git -C "$folder/tree" commit --quiet --message "Release $tag: the action runs its image" -- action.yml
    git tag --annotate --message "$tag" "$tag" "$(git -C "$folder/tree" rev-parse HEAD)"
    check "$tag" "$repository"
    echo "now: git push origin $tag"
}

case "${1:-}" in
--check) check "$2" "$3" ;;
[0-9]*.[0-9]*.[0-9]*) make_tag "$1" ;;
*)
    sed -n '4,5s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
