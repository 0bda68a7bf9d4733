"""An Asterisk that plays our prompts and reads keys by dial plan alone: no saldo is needed."""

from pathlib import Path

from ivr.lab import processes
from ivr.lab.packages import Tree
from ivr.lab.processes import LOOPBACK, ProcessId

MODULES = (
    *("res_timing_timerfd", "res_sorcery_config", "res_sorcery_memory", "res_sorcery_astdb"),
    *("pbx_config", "codec_ulaw", "format_pcm", "res_crypto", "res_pjproject", "res_pjsip"),
    *("res_pjsip_session", "res_pjsip_pubsub", "res_pjsip_sdp_rtp", "res_rtp_asterisk"),
    *("chan_pjsip", "res_pjsip_endpoint_identifier_ip", "res_pjsip_header_funcs"),
    *("res_pjsip_caller_id", "app_read", "app_playback", "app_verbose", "func_callerid"),
    *("app_system", "app_echo", "func_channel", "func_strings", "res_pjsip_nat"),
)


class PlainPbx:
    """A running Asterisk with the dial plan that was given; `stop` it."""

    def __init__(self, folder: Path, tree: Tree, dial_plan: str) -> None:
        self.port = processes.free_port(transport="udp")
        self._log = folder / "output.log"
        etc = folder / "etc"
        for place in (etc, folder / "var", folder / "run", folder / "log"):
            place.mkdir(parents=True)
        for name, text in _files(folder, tree, self.port, dial_plan).items():
            (etc / name).write_text(text)
        self.process: ProcessId = processes.start(
            [tree.program("asterisk"), "-C", etc / "asterisk.conf", "-f"],
            log=self._log,
            folder=folder,
        )
        processes.wait_until(
            lambda: processes.owns(self.process, self.port, "udp") is True,
            self.process,
            what="Asterisk",
            log=self._log,
            limit=20,
        )

    def uri(self, extension: str) -> str:
        return f"sip:{extension}@{LOOPBACK}:{self.port}"

    def stop(self) -> None:
        processes.stop(self.process, sign=9)


def _files(folder: Path, tree: Tree, port: int, dial_plan: str) -> dict[str, str]:
    directories = {
        "astetcdir": folder / "etc",
        "astmoddir": tree.asterisk_modules,
        "astvarlibdir": folder / "var",
        "astdbdir": folder / "var",
        "astkeydir": folder / "var",
        "astdatadir": tree.asterisk_data,
        "astagidir": folder / "var",
        "astspooldir": folder / "var",
        "astrundir": folder / "run",
        "astlogdir": folder / "log",
        "astcachedir": folder / "var",
    }
    lines = [f"{key} => {value}" for key, value in directories.items()]
    return {
        "asterisk.conf": "\n".join(["[directories]", *lines, ""]),
        "modules.conf": "\n".join(
            ["[modules]", "autoload = no", *(f"load = {name}.so" for name in MODULES), ""]
        ),
        "logger.conf": "[general]\n[logfiles]\nerrors => error,warning\n",
        "rtp.conf": "[general]\nrtpstart=16000\nrtpend=16400\n",
        "pjsip.conf": (
            "[global]\ntype=global\nendpoint_identifier_order=ip\n"
            f"[udp]\ntype=transport\nprotocol=udp\nbind={LOOPBACK}:{port}\n"
            "[phone]\ntype=endpoint\ncontext=plain\ndisallow=all\nallow=ulaw\n"
            "dtmf_mode=rfc4733\ndirect_media=no\ntrust_id_inbound=yes\n"
            f"[phone-ip]\ntype=identify\nendpoint=phone\nmatch={LOOPBACK}\n"
        ),
        "extensions.conf": f"[plain]\n{dial_plan}",
    }
