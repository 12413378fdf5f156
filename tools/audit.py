"""Are there known vulnerabilities in what is installed here? ``make audit``; ``make test`` asks once per installation.

Runs pip-audit on the environment of this Python. Where its database cannot be reached, it says so and does not fail:
tests must run without a network. CI starts with a fresh environment and asks every time.
"""

from __future__ import annotations

import json
import subprocess
import sys


def main() -> int:
    command = [sys.executable, "-m", "pip_audit", "--skip-editable", "--progress-spinner", "off", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        print(f"not audited: {last}", file=sys.stderr)
        return 0
    found = [(p["name"], p["version"], v) for p in packages for v in p.get("vulns", ())]
    for name, version, vulnerability in found:
        fixed = ", ".join(vulnerability["fix_versions"]) or "no version yet"
        print(f"{name} {version}: {vulnerability['id']}; fixed in {fixed}", file=sys.stderr)
    skipped = [p for p in packages if "skip_reason" in p]
    if len(skipped) == len(packages):  # an index without such a database says of every package that it is unknown
        why = skipped[0]["skip_reason"] if skipped else "no packages are installed"
        print(f"not audited: the database knows none of {len(packages)} packages ({why})", file=sys.stderr)
        return 0
    unknown = f"; unknown to the database: {', '.join(p['name'] for p in skipped)}" if skipped else ""
    print(f"audited {len(packages) - len(skipped)} packages{unknown}: {len(found)} vulnerabilities")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
