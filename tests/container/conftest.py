import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from importlib import util  # noqa: E402

spec = util.spec_from_file_location("e2e_conftest", pathlib.Path(__file__).resolve().parents[1] / "e2e/conftest.py")
module = util.module_from_spec(spec)
spec.loader.exec_module(module)
lab_session, lab, keys, mount = module.lab_session, module.lab, module.keys, module.mount
