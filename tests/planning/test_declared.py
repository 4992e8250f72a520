"""What a source declares to run: believed when it is there, overruled and said when it is not."""

from __future__ import annotations

import pytest

from buildpacks.python.entry import command

PLAIN = {"requirements.txt": "flask\ngunicorn\n"}
ODD = "from odd import Site\nsite = Site()\n"


def _warned(plan, code="W_PROCFILE"):
    return [(w.where, w.message) for w in plan.warnings if w.code == code]


@pytest.mark.parametrize(
    ("line", "target", "script", "folder"),
    [
        ("gunicorn shop.wsgi", "shop.wsgi:application", "", ""),
        ("gunicorn shop:app --log-file - -w 4", "shop:app", "", ""),
        ("FLASK_ENV=production exec gunicorn 'shop:create_app()'", "shop:create_app()", "", ""),
        ("cd backend && uvicorn main:app --host 0.0.0.0 --port $PORT", "main:app", "", "backend"),
        ("gunicorn --chdir api main:app", "main:app", "", "api"),
        ("python -m gunicorn shop:app", "shop:app", "", ""),
        ("poetry run hypercorn shop:app", "shop:app", "", ""),
        ("newrelic-admin run-program gunicorn shop:app", "shop:app", "", ""),
        ("python -u src/worker.py --once", "", "src/worker.py", ""),
        ("python3 manage.py runserver", "", "manage.py", ""),
    ],
)
def test_a_command_line_is_read_without_a_shell(line, target, script, folder):
    found = command.read(line)
    assert found is not None
    assert (target, script, folder) == (found.target, found.script, found.folder)


@pytest.mark.parametrize("line", ["gunicorn a:b | tee log", "x; y", "echo $(id)", "a < b", "unclosed 'quote"])
def test_what_only_a_shell_could_tell_is_not_read(line):
    assert command.read(line) is None


def test_a_procfile_that_names_what_is_not_there_is_overruled_and_said(plan_of, flask):
    plan = plan_of({**PLAIN, "app.py": flask, "Procfile": "web: python server.py\n"})
    assert "app:app" == plan.entry
    assert [("Procfile:1", "`web: python server.py` is not run: there is no server.py")] == _warned(plan)


def test_a_procfile_that_calls_what_is_not_installed_is_overruled_and_said(plan_of, flask):
    plan = plan_of({**PLAIN, "app.py": flask, "Procfile": "web: supervisord -n\n"})
    assert "app:app" == plan.entry
    assert [("Procfile:1", "`web: supervisord -n` is not run: supervisord is not installed")] == _warned(plan)


def test_a_procfile_decides_on_an_object_that_nobody_knows(plan_of):
    plan = plan_of({**PLAIN, "shop.py": ODD, "Procfile": "web: gunicorn shop:site\n"})
    assert ("wsgi", "shop:site") == (plan.kind, plan.entry)


def test_options_of_the_server_that_do_not_say_where_it_listens_are_kept(plan_of, flask):
    procfile = "web: gunicorn app:app -w 3 --timeout 90 --bind 127.0.0.1:5000 --daemon --threads 2\n"
    plan = plan_of({**PLAIN, "app.py": flask, "Procfile": procfile})
    expected = ("gunicorn", "--workers", "3", "--timeout", "90", "--threads", "2", "--worker-class", "gthread")
    assert expected == plan.start[:9]
    assert not {"--bind", "--daemon", "127.0.0.1:5000"} & set(plan.start)


def test_a_web_process_that_serves_nothing_is_a_job(plan_of):
    plan = plan_of({"requirements.txt": "", "src/main.py": "print('hi')\n", "Procfile": "web: python src/main.py\n"})
    assert ("job", "src/main.py", ("python", "src/main.py")) == (plan.kind, plan.entry, plan.start)


def test_what_runs_beside_the_web_process_is_part_of_the_plan(plan_of, flask):
    procfile = "web: gunicorn app:app\nrelease: python manage.py migrate\nworker: celery -A app worker > log\n"
    plan = plan_of({**PLAIN, "app.py": flask, "manage.py": "", "Procfile": procfile})
    expected = [
        ("release", ("python", "manage.py", "migrate"), "Procfile:2"),
        ("worker", ("sh", "-c", "celery -A app worker > log"), "Procfile:3"),
    ]
    assert expected == [(p.name, p.start, p.origin) for p in plan.processes]


def test_what_runs_before_the_server_is_not_run_in_each_instance(plan_of, flask):
    procfile = "web: python manage.py migrate && gunicorn app:app\n"
    plan = plan_of({**PLAIN, "app.py": flask, "manage.py": "", "Procfile": procfile})
    assert "app:app" == plan.entry
    assert ["`python manage.py migrate` is not run in each instance: run it as a job, once"] == [
        m for _, m in _warned(plan)
    ]


def test_somebody_elses_program_can_be_the_web_process(plan_of):
    files = {
        "requirements.txt": "datasette\n",
        "Procfile": "web: datasette serve data.db --port $PORT\n",
        "x.py": "y = 1\n",
    }
    plan = plan_of(files)
    assert ("http", ("sh", "-c", "exec datasette serve data.db --port $PORT")) == (plan.kind, plan.start)


def test_the_environment_of_a_builder_image_names_folder_and_module(plan_of):
    raw = "def application(environ, start_response):\n    return []\n"
    home = plan_of({"requirements.txt": "", "project/wsgi.py": raw, ".s2i/environment": "APP_HOME=project\n"})
    assert ("wsgi:application", "/app/project") == (home.entry, home.workdir)
    assert ("PYTHONPATH", "/app/project") in home.env


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("daemon = True", "is not used: it sends gunicorn into the background, and the container would end"),
        ("    accesslog = '/var/log/x'", "is not used: it writes files where an instance cannot"),
        ("certfile = 'x.pem'", "is not used: it speaks TLS, which is the router's part"),
    ],
)
def test_a_gunicorn_configuration_that_no_container_survives_is_not_used(plan_of, flask, line, why):
    plan = plan_of({**PLAIN, "app.py": flask, "gunicorn.conf.py": f"if True:\n    pass\n{line}\n"})
    assert "--config /dev/null" in plan.start[-1]
    assert [("gunicorn.conf.py:3", why)] == _warned(plan, "W_GUNICORN_CONF")


def test_a_gunicorn_configuration_names_the_application(plan_of, flask):
    files = {**PLAIN, "one.py": flask, "two.py": flask, "gunicorn.conf.py": "workers = 2\nwsgi_app = 'two:app'\n"}
    entry = next(d for d in plan_of(files).decisions if d.what == "entry")
    assert ("two:app", "gunicorn.conf.py:2") == (entry.value, entry.origin)


def test_a_file_that_names_one_of_two_equals_decides(plan_of, flask):
    files = {**PLAIN, "one.py": flask, "two.py": flask, "Dockerfile": "FROM x\nCMD gunicorn two:app\n"}
    entry = next(d for d in plan_of(files).decisions if d.what == "entry")
    assert ("two:app", [("one:app", "Dockerfile names two:app")]) == (
        entry.value, [(lost.value, lost.why) for lost in entry.rejected],
    )  # fmt: skip
