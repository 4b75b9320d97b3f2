#!/bin/sh
# Prepares the clone that the service works on, then becomes the command that it is given. A start may find a
# whole clone, half of one or none.
set -eu

fail() {
    code=$1
    shift
    echo "entrypoint: $*" >&2
    exit "$code"
}

folder=${REPOSITORY_FOLDER:-/data/repository}
lock=${IMAGE_LOCK:-/opt/churn-pipeline/requirements.lock}
export GIT_TERMINAL_PROMPT=0

[ -n "${REPOSITORY_URL:-}" ] || fail 2 "REPOSITORY_URL is not set: name the Git repository of your team"
case $REPOSITORY_URL in
    http://* | https://*)
        host=${REPOSITORY_URL#*://}
        case ${host%%/*} in
            *@*) fail 2 "REPOSITORY_URL holds a user: give GIT_USERNAME and GIT_PASSWORD instead" ;;
        esac
        ;;
esac

# Git asks this when a server wants a password. A file keeps the names of the variables, not what they hold.
# shellcheck disable=SC2016
answer='printf "username=%s\npassword=%s\n" "${GIT_USERNAME:-git}" "$GIT_PASSWORD"'
helper="!f() { [ \"\$1\" != get ] || [ -z \"\${GIT_PASSWORD:-}\" ] || $answer; }; f"

if [ ! -d "$folder/.git" ]; then
    rm -rf "$folder.partial"
    git -c credential.helper="$helper" clone --quiet "$REPOSITORY_URL" "$folder.partial" \
        || fail 1 "the repository cannot be cloned, for the reason above"
    mv "$folder.partial" "$folder"
fi
cd "$folder"
git remote set-url origin "$REPOSITORY_URL"
git config credential.helper "$helper"
# An empty name would be taken for the name.
git config user.name "${GIT_AUTHOR_NAME:-churn-pipeline}"
git config user.email "${GIT_AUTHOR_EMAIL:-churn-pipeline@localhost}"
unset GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL

# The service runs the code of the clone. With the server away it starts with the commit that it has.
git pull --quiet --ff-only || echo "entrypoint: the clone stays at its commit, for the reason above" >&2

# dvc.lock says of a model which packages made it, and means those of requirements.lock.
cmp -s requirements.lock "$lock" \
    || fail 2 "requirements.lock of the repository is not the one of this image: build the image again"

dvc remote default --quiet --local s3
if [ -n "${S3_ENDPOINT_URL:-}" ]; then
    dvc remote modify --quiet --local s3 endpointurl "$S3_ENDPOINT_URL"
elif grep -qs endpointurl .dvc/config.local; then
    dvc remote modify --quiet --local --unset s3 endpointurl
fi

exec "$@"
