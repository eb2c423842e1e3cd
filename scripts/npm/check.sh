#!/bin/bash
# The npm package as its users have it: installed from the tarball by npm, pnpm and yarn into real workspaces, made by hand
# and by create-nx-workspace, and used from a script of package.json.   check.sh TARBALL [CASE…]
# CASE: only the cases whose name contains it. Everything comes from npm and stays in build/e2e.
set -u
tarball=$(realpath "$1")
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root" || exit 1
# shellcheck disable=SC1091 # looked at by itself
HEAPLOG_INSTALL=$root/scripts/test.sh . "$root/scripts/install.sh" quickstart
e2e=$root/build/e2e
tools=$e2e/tools
passed=0
failed=0

wanted() { # wanted CASE, PATTERN...
	local case=$1 pattern
	shift
	[ $# -gt 0 ] || return 0
	for pattern; do
		case $case in *"$pattern"*) return 0 ;; esac
	done
	return 1
}

tool() { # tool DIRECTORY PACKAGE
	[ ! -f "$tools/$1/installed" ] || return 0
	echo "installing the npm package $2 into build/e2e/tools/$1"
	mkdir -p "$tools/$1"
	(cd "$tools/$1" && echo '{"private":true}' >package.json &&
		npm install --silent --no-audit --no-fund "$2" && touch installed)
}

# The environment of somebody's terminal: no variable of ours or of CI, by which Nx prints less.
clean() {
	env -i PATH="$PATH" HOME="$e2e/home" LANG=C.UTF-8 NX_DAEMON=false NX_NO_CLOUD=true NX_SKIP_POSTINSTALL=1 \
		COREPACK_ENABLE_DOWNLOAD_PROMPT=0 NPM_CONFIG_UPDATE_NOTIFIER=false ${NODE_EXTRA_CA_CERTS:+NODE_EXTRA_CA_CERTS="$NODE_EXTRA_CA_CERTS"} \
		${npm_config_registry:+npm_config_registry="$npm_config_registry"} "$@"
}

edit() { # edit 'JavaScript on p': changes package.json
	node -e 'const fs = require("fs"), p = JSON.parse(fs.readFileSync("package.json")); eval(process.argv[1]); fs.writeFileSync("package.json", JSON.stringify(p, null, 2));' "$1"
}

# The script that the user writes, and what must come of it: one figure for each task, and the exit status.
verify() { # verify CASE TASKS COMMAND...
	local case=$1 tasks=$2 out status
	shift 2
	out=$(clean timeout 300 "$@" 2>&1)
	status=$?
	if [ $status -eq 0 ] && [ "$(grep -cE '(✔|✓|>) +nx run [^ ]+:build.*\(peak: [0-9.]+(KB|MB|GB)\)' <<<"$out")" -eq "$tasks" ]; then
		passed=$((passed + 1))
		echo "ok    $case: $(grep -oE 'nx run [^ ]+:build.*\(peak: [0-9A-Z.]+\)' <<<"$out" | head -1)"
	else
		failed=$((failed + 1))
		echo "FAIL  $case: status $status; wanted figures for $tasks tasks in:"
		echo "$out"
	fi
}

by_hand() { # by_hand MAJOR MANAGER INSTALL-COMMAND...
	local major=$1 manager=$2 workspace=$e2e/npm-package-$1-$2
	shift 2
	bash tests/e2e/workspace.sh "$major" "$workspace" || return
	cd "$workspace" || return
	rm -rf node_modules
	edit "p.license = 'MIT'; p.devDependencies.heaplog = 'file:$tarball'; p.scripts = {build: 'heaplog nx run-many -t build'};"
	printf 'packages: ["packages/*"]\n' >pnpm-workspace.yaml
	printf 'nodeLinker: node-modules\nenableTelemetry: false\nenableScripts: false\nenableImmutableInstalls: false\n' >.yarnrc.yml
	if ! clean "$@" install >install.log 2>&1; then
		failed=$((failed + 1))
		echo "FAIL  Nx $major, $manager: cannot install"
		tail -20 install.log
	else
		verify "Nx $major, $manager" 3 "$@" run build
	fi
	cd "$root" || exit 1
}

by_generator() { # by_generator NAME CREATOR-VERSION [NX-VERSION]
	local workspace=$e2e/npm-package-$1
	rm -rf "$workspace"
	mkdir -p "$workspace"
	cd "$workspace" || return
	echo "making a workspace by the npm package create-nx-workspace@$2 in build/e2e/npm-package-$1"
	if clean npx --yes "create-nx-workspace@$2" acme --preset=ts --nxCloud=skip --packageManager=npm --no-interactive --skipGit >log 2>&1 &&
		cd acme && clean npx nx g @nx/js:lib packages/one --bundler=tsc --unitTestRunner=none --linter=none --no-interactive >>../log 2>&1 &&
		clean npx nx g @nx/js:lib packages/two --bundler=tsc --unitTestRunner=none --linter=none --no-interactive >>../log 2>&1 &&
		if [ $# -gt 2 ]; then clean npm install --silent --no-audit --no-fund --force -D "nx@$3" >>../log 2>&1; fi &&
		clean npm install --no-audit --no-fund --force -D "$tarball" >>../log 2>&1; then
		edit "p.scripts = {...p.scripts, build: 'heaplog nx run-many -t build'};"
		verify "create-nx-workspace $2, Nx $(node -p 'require("nx/package.json").version')" 2 npm run build
	else
		failed=$((failed + 1))
		echo "FAIL  $1: cannot make the workspace"
		tail -20 "$workspace/log"
	fi
	cd "$root" || exit 1
}

mkdir -p "$e2e/home"
[ ! -f "$HOME/.npmrc" ] || cp "$HOME/.npmrc" "$e2e/home/.npmrc"
git config --file "$e2e/home/.gitconfig" user.name e2e
git config --file "$e2e/home/.gitconfig" user.email e2e@localhost
tool pnpm-10 pnpm@10
tool yarn-1 yarn@1
tool yarn-4 @yarnpkg/cli-dist@4
# Nx calls the workspace's package manager by its name.
pnpm_path=$tools/pnpm-10/node_modules/.bin
yarn1_path=$tools/yarn-1/node_modules/.bin
yarn4_path=$tools/yarn-4/node_modules/.bin
for major in 22 24; do
	! wanted "npm-$major" "$@" || by_hand $major npm npm
	! wanted "pnpm-$major" "$@" || by_hand $major pnpm env PATH="$pnpm_path:$PATH" pnpm
	! wanted "yarn1-$major" "$@" || by_hand $major yarn-1 env PATH="$yarn1_path:$PATH" yarn
	! wanted "yarn4-$major" "$@" || by_hand $major yarn-4 env PATH="$yarn4_path:$PATH" yarn
done
# npm has no create-nx-workspace of Nx 24: the newest makes the workspace, and Nx 24 runs it.
! wanted create-22 "$@" || by_generator create-22 22.7.12
! wanted create-24 "$@" || by_generator create-24 23.2.1 24.0.6
echo "npm package: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
