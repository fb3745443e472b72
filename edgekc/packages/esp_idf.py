"""A network to a component for ESP-IDF."""

from __future__ import annotations

from .package import Package

# Components that ESP-IDF 4.4 to 5.x bring; one of the project takes the place of theirs.
_OWN = frozenset(
    "app_trace app_update asio bootloader bootloader_support bt cbor cmock coap console cxx driver efuse espcoredump "
    "expat fatfs freemodbus freertos hal heap http_parser idf_test ieee802154 jsmn json libsodium linux log lwip "
    "mbedtls mdns mqtt newlib nghttp nvs_flash nvs_sec_provider openssl openthread partition_table perfmon protocomm "
    "pthread riscv rt sdmmc soc spi_flash spiffs tcp_transport tcpip_adapter tinyusb touch_element ulp unity usb vfs "
    "wear_levelling wifi_provisioning wpa_supplicant xtensa".split()
)


def _name_problem(name: str) -> str:
    # The component registry takes names in lower case, in which two underscores are not in a row.
    if name.lower() != name:
        return "has capital letters, which names of components have not"
    if "__" in name or name.endswith("_"):
        return "has underscores in a row or at its end, which names of components have not"
    if name in _OWN or name.startswith("esp_"):
        return "is kept for a component of ESP-IDF itself"
    return ""


PACKAGE = Package(
    "esp-idf",
    sample="examples/demo/main",
    name_problem=_name_problem,
    extensions=frozenset(),
    board="esp32c3",
    flash_bytes=16 << 20,
    ram_bytes=768 << 10,
    largest="the largest chip of ESP-IDF (16 MiB of flash; ESP32-P4: 768 KiB of internal RAM)",
)
