"""Build runs: each execution of a build has a folder with its record, its plan and its events.

``dirs.state()/builds/ID/`` holds run.json (run.BuildRun), plan.json and events.jsonl (see wire). Import from the
modules: who shows progress needs no recorder.
"""
