"""Every way that a device refuses an update: number, name in C and words. runtime_c/update/ek_update.h has the same."""

from __future__ import annotations

TEXTS = {
    "OK": "done",
    "BUSY": "an update is being written already",
    "IDLE": "no update was begun",
    "TRUNCATED": "the update ends too early",
    "TOO_LONG": "the update goes on behind its end",
    "MAGIC": "this is no update",
    "FORMAT": "the update has a format that this device does not know",
    "FIELDS": "the header contradicts itself",
    "KEY_UNKNOWN": "the update is signed with a key that this device does not know",
    "KEY_REVOKED": "the update is signed with a key that was revoked",
    "SIGNATURE_WRONG": "the signature is wrong",
    "OTHER_NETWORK": "the update is for another network",
    "OLD_SEQUENCE": "the update is not newer than what runs",
    "OLD_COUNTER": "the security counter is lower than that of what runs",
    "OLD_KEYS": "the update would accept keys that were revoked",
    "TOO_LARGE": "the update is larger than a slot",
    "HASH_WRONG": "the payload's hash is wrong",
    "DELTA_BASE": "the changes are for another payload than the one that runs",
    "DELTA_RECORD": "the list of changes is wrong",
    "FLASH_READ": "the flash cannot be read",
    "FLASH_ERASE": "the flash cannot be erased",
    "FLASH_PROGRAM": "the flash cannot be programmed",
    "NOT_ERASED": "the flash was not erased",
    "NOT_WRITTEN": "the flash does not hold what was written",
    "MARKS_USED": "the running slot has no mark left",
    "NO_PAYLOAD": "no slot holds a valid payload",
    "SETUP": "the device's setup of its slots is wrong",
}


def text(number: int) -> str:
    """A status in words, for a line on the host."""
    texts = tuple(TEXTS.values())
    return texts[number] if 0 <= number < len(texts) else "unknown status"
