"""Which tests are the fast ones, which are about one operator, and which another run had to skip."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence, Set
from pathlib import Path

import pytest

HERE = Path(__file__).parent

# The fast tier, by how the name below tests/ starts: rooms and files whose tests take milliseconds, and of each module
# that only slower tests reach a test. Single tests elsewhere may have the mark `fast` on them.
FAST = (
    "test_tiny.py",
    "unit/",
    "api/",
    "format/",
    "importers/",
    "quantize/",
    "regression/",
    "boards/test_boot.py",
    "boards/test_console.py",
    "boards/test_fit_diff.py",
    "boards/test_flash.py",
    "boards/test_uart.py",
    "compress/test_codebook.py",
    "compress/test_front.py",
    "compress/test_lowrank.py",
    "compress/test_moments.py",
    "compress/test_pair_assignment.py",
    "compress/test_prune.py",
    "compress/test_recipes.py",
    "compress/test_responses.py",
    "compress/test_second_order.py",
    "compress/test_table.py",
    "compress/test_walk.py::test_reference_and_host_agree[chain]",
    "compress/test_walk.py::test_reference_and_host_agree[dominant]",
    "compress/test_walk.py::test_reference_and_host_agree[svd]",
    "cross/test_measure.py::test_gnu_map",
    "cross/test_measure.py::test_lld_map",
    "cross/test_measure.py::test_measurement[gcc-microbit]",
    "cross/test_measure.py::test_report",
    "cross/test_unicorn_layers.py::test_the_command_takes_the_models_board",
    "cross/test_unicorn_layers.py::test_layers_equal_the_plugins[by hand-microbit",
    "ops/test_kernels_vs_reference.py::test_cases_have_extreme_inputs",
    "ops/test_lstm.py::test_functions_are_close_for_all_numbers[<lambda>-<lambda>0]",
    "ops/test_lstm.py::test_the_state_starts_with_zeros",
    "simulated_mcu/test_edgekc_flash.py::test_another_chip_is_not_written",
    "train/test_commands.py::test_the_command_reports_trains_and_resumes",
    "train/test_net.py",
    "train/test_transfer.py::test_stages_share_epochs_and_turns",
    "train/test_transfer.py::test_variants_differ_in_what_is_learned_alone",
)
NOT_FAST = (  # but for these: each takes a second or several, and a cheaper test reaches its module too
    "api/test_api.py::test_levels_give_levels",
    "api/test_api.py::test_records_are_frozen",
    "api/test_api.py::test_the_board_gives_the_same_bits",
    "api/test_api.py::test_the_commands_take_real_samples",
    "api/test_compress.py::test_a_float_model_is_not_compiled",
    "api/test_compress.py::test_a_packed_model_is_saved",
    "api/test_compress.py::test_data_of_every_kind_gives_the_same_bytes",
    "api/test_compress.py::test_the_command_writes_the_same",
    "api/test_import.py::test_functions_are_there",
    "api/test_notebook.py",
    "boards/test_console.py::test_a_lossy_line_only_costs_time",
    "boards/test_console.py::test_run_counts_and_writes_outputs",
    "boards/test_console.py::test_the_console_verifies_on_emulated_boards[m",
    "boards/test_fit_diff.py::test_diff_of_two_cores",
    "boards/test_flash.py::test_a_broken_run_is_told_apart[hangs",
    "boards/test_flash.py::test_dry_run_prints_the_exact_commands",
    "boards/test_flash.py::test_gdb_loads_into_qemu_and_reads_back[lm3s6965evb]",
    "boards/test_flash.py::test_gdb_loads_into_qemu_and_reads_back[mps2-an505]",
    "boards/test_flash.py::test_the_image_starts_with_stack_and_reset_vector[b-u585i",
    "boards/test_flash.py::test_the_image_starts_with_stack_and_reset_vector[nucleo",
    "boards/test_uart.py::test_the_c_of_every_board_compiles_without_warnings",
    "boards/test_uart.py::test_the_uarts_of_emulated_boards[mps",
    "boards/test_uart.py::test_the_uarts_of_emulated_boards[stm32vldiscovery",
    "compress/test_pair_assignment.py::test_finds_what_trying_every_word_finds",
    "compress/test_pair_assignment.py::test_gives_back",
    "compress/test_pair_assignment.py::test_is_never_worse_than_its_start",
    "compress/test_pair_assignment.py::test_loses_less_of_the_outputs_than_nearest_pairs_do",
    "cross/test_unicorn_layers.py::test_the_command_takes_the_models_board_and_refuses_forbidden_accesses[False",
    "format/test_corruption.py::test_changes_under_right",
    "format/test_corruption.py::test_every_graph_byte_under_right_checksums",
    "format/test_corruption.py::test_spliced_sections_under_right_checksums",
    "format/test_every_op.py",
    "format/test_roundtrip.py::test_same_bytes_whatever_the_hash_seed",
    "importers/test_tflite_int16.py::test_kernels_of_boards_equal_litert",
    "importers/test_tflite_int16.py::test_networks_equal_litert",
    "importers/test_import_model.py::test_models_by_suffix[resnet8_cifar10jpeg.pt2",
    "importers/test_obstacles.py::test_torch",
    "importers/test_pools.py::test_other_torch_pools",
    "importers/test_pools.py::test_torch_pools",
    "importers/test_pools.py::test_torch_s_average_of_a_padded_image_with_ceil",
    "importers/test_onnx_qlinear.py::test_a_small_network",
    "importers/test_onnx_qlinear.py::test_operators_between",
    "importers/test_onnx_qlinear.py::test_operators_without",
    "importers/test_torch_import.py::test_a_free_batch_size",
    "importers/test_torch_import.py::test_convolutions",
    "importers/test_torch_import.py::test_functions",
    "importers/test_torch_import.py::test_layers_are_named",
    "importers/test_torch_import.py::test_pools[AdaptiveAvgPool2d(output_size=1",
    "importers/test_torch_import.py::test_pools[AvgPool2d(kernel_size=",
    "importers/test_torch_import.py::test_pools[MaxPool2d",
    "importers/test_torch_import.py::test_programs_in_training_mode",
    "importers/test_torch_import.py::test_resnet8_and_its_onnx_twin",
    "importers/test_torch_import.py::test_several_inputs",
    "importers/test_torch_quantised.py::test_a_process_that",
    "importers/test_torch_quantised.py::test_convolution[1-dtype1",
    "importers/test_torch_quantised.py::test_convolution[2",
    "importers/test_torch_quantised.py::test_convolution[4",
    "importers/test_torch_quantised.py::test_operators_without_weights",
    "importers/test_torch_quantised.py::test_residual_pools",
    "quantize/test_keyword_spotting.py",
    "quantize/test_post_training.py",
    "regression/dead_code/test_dead_code.py::test_every_name_has_a_user",
    "regression/full_disk/test_full_disk.py::test_a_limit_of_the_system_itself",
    "regression/full_disk/test_full_disk.py::test_compile[True-step1",
    "regression/full_disk/test_full_disk.py::test_compile[True-step2",
    "regression/full_disk/test_full_disk.py::test_standard_output[command0]",
    "regression/full_disk/test_full_disk.py::test_standard_output[command1]",
    "regression/full_disk/test_full_disk.py::test_standard_output[command2]",
    "regression/killed_swap/test_killed_swap.py::test_a_build_survives_a_kill_at_any_step",
    "regression/killed_swap/test_killed_swap.py::test_a_folder_survives_a_kill_at_any_step",
    "regression/killed_swap/test_killed_swap.py::test_each_command_finds_the_folder_again[command4]",
    "regression/killed_swap/test_killed_swap.py::test_each_command_finds_the_folder_again[command5]",
    "regression/reader_blames_the_file/test_reader_blames_the_file.py::test_a_fault_of_the_reader_is_ours[del",
    "regression/reader_blames_the_file/test_reader_blames_the_file.py::test_a_fault_of_the_reader_is_ours[reader",
    "regression/simulated_cycles/",
    "regression/sixteen_bit_int/test_sixteen_bit_int.py::test_every_output_byte",
    "regression/stopped/test_stopped.py::test_a_swap_that_is_begun_is_ended",
    "regression/stopped/test_stopped.py::test_build_in_the_middle_of_its_compilers[SIGTERM]",
    "regression/stopped/test_stopped.py::test_compile[",
    "regression/stopped/test_stopped.py::test_compile_over_an_earlier_output[SIGHUP]",
    "regression/stopped/test_stopped.py::test_compile_over_an_earlier_output[SIGINT]",
    "regression/stopped/test_stopped.py::test_compile_over_an_earlier_output[SIGTERM",
    "regression/stopped/test_stopped.py::test_compress",
    "regression/stopped/test_stopped.py::test_measure_and_its_temporary_folders",
    "regression/stopped/test_stopped.py::test_what_is_ignored_stays_ignored",
    "regression/terminal_text/test_terminal_text.py::test_commands_without_tools_in_the_c_locale",
    "regression/terminal_text/test_terminal_text.py::test_nobody_else_prints",
    "regression/terminal_text/test_terminal_text.py::test_reports_of",
    "simulated_mcu/test_edgekc_flash.py::test_another_chip_is_not_written[pyocd",
    "unit/test_adding.py::test_the_steps_of",
    "unit/test_arena.py::test_lower_bound",
    "unit/test_arena.py::test_no_overlap",
    "unit/test_cli.py::test_an_internal_fault_exits_with_1[a ",
    "unit/test_cli.py::test_two_runs_give_identical_bytes",
    "unit/test_cli_bad_input.py::test_any_changed_byte_of_an_ekc_is_found",
    "unit/test_cli_bad_input.py::test_flipped_bits",
    "unit/test_cli_help.py::test_help_loads_nothing_heavy",
    "unit/test_cli_help.py::test_long_work_says_each_step",
    "unit/test_cli_help.py::test_one_board_has_its_notes",
    "unit/test_cli_help.py::test_the_shell_completes",
    "unit/test_examples.py",
    "unit/test_fixedpoint.py::test_divide_pot",
    "unit/test_float_parts.py::test_a_",
    "unit/test_goals.py::test_where_the_smallest_code_does_not_fit_ram_goes_first",
    "unit/test_importer.py::test_absurd_words",
    "unit/test_importer.py::test_flipped_bits",
    "unit/test_importer_shapes.py::test_damage_is_an_error_of_one_line[shapes",
    "unit/test_importer_shapes.py::test_damage_is_an_error_of_one_line[uint8",
    "unit/test_objects.py::test_a_network_is_compiled_once",
    "unit/test_origin.py::test_a_packed_model_is_its_file[conv1d",
    "unit/test_origin.py::test_a_packed_model_is_its_file[convolutions",
    "unit/test_origin.py::test_a_packed_model_is_its_file[mobilenet_v2",
    "unit/test_origin.py::test_a_packed_model_is_its_file[per_tensor",
    "unit/test_origin.py::test_a_packed_model_is_its_file[pooling",
    "unit/test_origin.py::test_a_packed_model_is_its_file[shapes",
    "unit/test_origin.py::test_a_packed_model_is_its_file[uint8_edges",
    "unit/test_origin.py::test_the_file_is_found_by_name_and_hash",
    "unit/test_passes_extreme.py::test_passes_change_no_byte",
    "unit/test_plan.py::test_thrifty_programs",
    "unit/test_readme.py::test_readme_python_runs",
    "unit/test_rooms.py::test_imports_inside_are_relative",
    "unit/test_rows.py::test_every_row",
    "unit/test_rows.py::test_only_images",
    "unit/test_rows.py::test_the_plan",
    "unit/test_rows.py::test_too_little",
    "unit/test_rows.py::test_with_room",
    "unit/test_testing.py::test_modules_are",
)

# Sweeps of which the default run has a sample, by the name of the test below tests/, or how it starts; other tests have
# the mark `slow` on them. The core, board or compiler that stays in the default run is the one that most users have.
SLOW = (
    "boards/test_console.py::test_a_lossy_line_only_costs_time[1]",
    "cross/test_kernel_choice.py::test_the_choice_is_the_estimated_winner[mps2-an386]",
    "cross/test_avr.py::test_no_portable_kernel_has_a_warning[-O2]",
    "cross/test_embedded.py::test_the_board_s_program_holds_it",
    "cross/test_embedded.py::test_the_generated_cmake_builds_it",
    "format/test_every_op.py::test_cases[template_pairs_conv2d-8]",
    "format/test_every_op.py::test_cases[template_conv2d-8]",
    "format/test_every_op.py::test_cases[template_pairs_depthwise-8]",
    "format/test_every_op.py::test_cases[template_depthwise-8]",
    "format/test_every_op.py::test_cases[clustered_conv2d-8]",
    "ops/test_clustered.py::test_the_overflow_proof_at_its_bound[clustered_conv2d]",
    "ops/test_kernels_vs_reference.py::test_cases[template_pairs_conv2d]",  # the default run has template_conv2d
    "ops/test_templates.py::test_any_geometry_and_width",
    "regression/simulated_cycles/test_simulated_cycles.py::test_a_tick_an_instruction_is_said_to_be_one",
    "simulated_mcu/test_edgekc_flash.py::test_a_stuck_bit[pyocd]",
    "simulated_mcu/test_on_board.py::test_a_brownout_in_the_middle_is_called_a_reset[rtt]",
    "simulated_mcu/test_on_board.py::test_measure_over_rtt_by_pyocd_counts_what_the_emulator_counts",
    "simulated_mcu/test_tools.py::test_openocd_programs_verifies_and_starts",
    "boards/test_fit_diff.py::test_diff_of_two_cores",
    "boards/test_flash.py::test_a_broken_run_is_told_apart[hangs after",
    "boards/test_sizes.py::test_the_ledger_by_layer_sums_to_the_elf[gcc-rpi4]",
    "cross/test_c_quality.py::test_cmake_builds_it[digits--Os]",
    "cross/test_c_quality.py::test_sanitizers_find_nothing[digits-clang]",
    "cross/test_measure.py::test_measurement[zig-mps3-an547]",
    "fuzz/test_fuzz.py::test_some_damaged_files[tflite operators]",
    "ops/test_kernels_vs_reference.py::test_cases[clustered_conv2d]",  # tests/ops/test_clustered.py has some of it
    "simulated_mcu/test_on_board.py::test_run_over_the_uart",
    "simulated_mcu/test_tools.py::test_pyocd_programs_reads_back_and_starts",
    "unit/test_arena.py::test_lower_bound",
    "unit/test_cli_bad_input.py::test_flipped_bits[1]",
    "unit/test_cli_bad_input.py::test_flipped_bits[2]",
    "unit/test_cli_help.py::test_long_work_says_each_step",
    "unit/test_cli_help.py::test_one_board_has_its_notes",
    "boards/test_uart.py::test_the_uarts_of_emulated_boards[mps3",
    "cross/test_optimise.py::test_measure_and_verify_say_which",
    "cross/test_streaming_code.py::test_emulated_boards_run_the_sequence[rpi4",
    "ops/test_vector.py::test_every_case[native]",  # the default run has all cases of this machine's kernels
    "regression/dead_code/test_dead_code.py::test_every_name_has_a_user",
    "regression/terminal_text/test_terminal_text.py::test_commands_without_tools_in_the_c_locale",
    "simulated_mcu/test_edgekc_flash.py::test_it_programs_reads_back_and_starts_the_program[pyocd]",
    "simulated_mcu/test_on_board.py::test_verify_over_rtt_by_openocd",
    "unit/test_goals.py::test_where_the_smallest_code_does_not_fit_ram_goes_first",
    "unit/test_plan.py::test_thrifty_programs_give_the_same_bytes",
    "boards/test_console.py::test_a_lossy_line_only_costs_time[2]",
    "boards/test_console.py::test_a_lossy_line_only_costs_time[3]",
    "boards/test_console.py::test_the_console_verifies_on_emulated_boards[mps3-an547",
    "boards/test_console.py::test_the_console_verifies_on_emulated_boards[microbit",
    "boards/test_sizes.py::test_the_ledger_by_layer_sums_to_the_elf[zig-rpi-pico]",
    "boards/test_sizes.py::test_the_ledger_by_layer_sums_to_the_elf[zig-mps2-an505]",
    "boards/test_sizes.py::test_the_ledger_by_layer_sums_to_the_elf[zig-mps2-an386]",  # gcc's has all boards
    "cross/test_c_quality.py::test_no_kernel_has_a_warning[gcc]",
    "cross/test_c_quality.py::test_no_kernel_has_a_warning[clang]",
    "cross/test_c_quality.py::test_no_kernel_has_a_warning[cortex-m0plus]",
    "cross/test_c_quality.py::test_no_kernel_has_a_warning[cortex-m4]",
    "cross/test_c_quality.py::test_no_kernel_has_a_warning[cortex-m55]",
    "cross/test_c_quality.py::test_no_kernel_has_a_warning[cortex-m85]",
    "cross/test_c_quality.py::test_no_kernel_has_a_warning[aarch64]",
    "compress/test_walk.py::test_the_core_runs_it_from_its_packed_form[mps3-an547]",
    "cross/test_device.py::test_ram_overflow_names_region_and_bytes[zig]",  # gcc's is the same reader of messages
    "cross/test_device.py::test_flash_overflow_names_region_and_bytes[zig]",
    "cross/test_measure.py::test_forbidden_accesses_and_static_data_are_seen[zig]",
    "cross/test_measure.py::test_measurement[zig-linux",
    "cross/test_measure.py::test_measurement[zig-mps2-an385]",
    "cross/test_measure.py::test_measurement[zig-mps2-an505]",
    "cross/test_measure.py::test_counts_equal_unicorns[zig-mps2-an505]",
    "cross/test_device.py::test_zig_builds_the_same_program[microbit]",
    "cross/test_device.py::test_zig_builds_the_same_program[mps2-an505]",
    "cross/test_device.py::test_zig_builds_the_same_program[mps3-an547]",
    "ops/test_clustered.py::test_any_fully_connected",
    "ops/test_every_lowering.py::test_lowering[rsqrt]",  # tests/ops/test_curves.py has some of it
    "ops/test_clustered.py::test_any_convolution",  # the default run has the cases of test_kernels_vs_reference
    "ops/test_structs.py::test_kernels_compile_without_warnings",  # test_c_quality compiles them with warnings as well
    "ops/test_kernels_vs_reference.py::test_sanitizers",  # tests/sweep has some networks under them
    "ops/test_vector.py::test_sanitizers_on_this_machine_s_instructions",
    "ops/test_vector.py::test_every_case[c]",
    "ops/test_vector.py::test_every_case[avx2]",
    "ops/test_vector.py::test_every_case[avx512]",
    "simulated_mcu/test_edgekc_flash.py::test_a_stuck_bit[openocd]",
    "regression/clang_reloads/",  # objects of all kernels by two compilers
    "regression/simulated_cycles/test_simulated_cycles.py::test_a_core_whose_loads_take_two_cycles_counts_cycles",
    "simulated_mcu/test_on_board.py::test_a_brownout_in_the_middle_is_called_a_reset[uart]",
    "simulated_mcu/test_walk.py::test_the_documented_commands_on_the_simulated_board",
    "simulated_mcu/test_walk.py::test_openocd_runs_the_program_with_its_files_by_semihosting",
    "simulated_mcu/test_edgekc_flash.py::test_a_server_that_vanishes_in_the_middle_ends_by_the_timeout_at_the_latest[pyocd]",
    "unit/test_adding.py::test_the_steps_of[A board]",
    "unit/test_adding.py::test_the_steps_of[A compression method]",
    "unit/test_adding.py::test_the_steps_of[A faster kernel]",
    "unit/test_adding.py::test_the_steps_of[A pass]",
    "unit/test_adding.py::test_the_steps_of[An operator with a kernel of its own]",
    "unit/test_cli_bad_input.py::test_any_changed_byte_of_an_ekc_is_found",  # the default run flips bits
    "wheel/test_wheel.py",
)
_FAST_OF = {  # of these none but what is named is fast
    "importers/test_same_graph.py::test_the_same_graph": ("conv1d",),
    "importers/test_torch_nets.py::test_networks": ("gru", "conv1d"),
}
_SWEEPS = {  # of these all but what is named
    "boards/test_sizes.py::test_the_ledger_of_a_board_s_own_kernels": (),
    "boards/test_boards.py::test_library_objects_are_for_their_system": (),
    "cross/test_c_quality.py::test_each_header_stands_alone": ("gcc-flags0",),
    "cross/test_c_quality.py::test_no_kernel_has_state_or_needs_a_library": (),  # of one network: the test behind it
    "cross/test_extensions.py::test_every_case_on_the_core": ("m0plus-an385",),
    "simulated_mcu/test_walk.py::test_the_documented_commands_on_each_emulated_board": (),
}


def _name(item: pytest.Item) -> str:
    """A test's name below tests/; empty where it lies elsewhere."""
    if not item.path.is_relative_to(HERE):
        return ""
    return f"{item.path.relative_to(HERE).as_posix()}::{item.nodeid.split('::', 1)[-1]}"


def is_slow(item: pytest.Item) -> bool:
    """Whether only `.ci/run` runs a test, though it has no mark of its own."""
    name = _name(item)
    return name.startswith(SLOW) or _left_out(name, _SWEEPS)


def is_fast(item: pytest.Item) -> bool:
    """Whether a test belongs to the tier that runs in a minute."""
    name = _name(item)
    listed = name.startswith(FAST) and not name.startswith(NOT_FAST) and not _left_out(name, _FAST_OF)
    return listed and item.get_closest_marker("slow") is None


def _left_out(name: str, kept: Mapping[str, Sequence[str]]) -> bool:
    """Whether a test is one of those of which only some parameters are kept, and none of these."""
    test, _, parameter = name.partition("[")
    return test in kept and parameter.removesuffix("]") not in kept[test]


def may_have_fast(path: Path) -> bool:
    """Whether a file may have tests of that tier: the lists name it or its room, or it has the mark somewhere."""
    name = path.relative_to(HERE).as_posix()
    if name.startswith(tuple(entry for entry in NOT_FAST if "::" not in entry)):
        return False
    return name.startswith(tuple(entry.partition("::")[0] for entry in FAST)) or "mark.fast" in path.read_text("utf-8")


# ---- one operator ----


def check_operator(name: str) -> None:
    from edgekc.ops import OPS

    if name not in OPS:
        near = difflib.get_close_matches(name, OPS, 3) or sorted(OPS)
        raise pytest.UsageError(f"--op {name}: no such operator; there are: {', '.join(near)}")


def may_be_about(path: Path, op: str) -> bool:
    """Whether a file may have tests of the operator: it goes through all of them, or names it."""
    text = path.read_text(encoding="utf-8")
    return bool(re.search(rf"\bOPS\b|\b{op}\b|_{op}\b", text))


def is_about(item: pytest.Item, op: str) -> bool:
    """Whether the test has the operator, or a kernel of it, as a parameter or in its own name."""
    from edgekc.ops import OPS

    words = {op, *(kernel.symbol for kernel in OPS[op].kernels)}
    callspec = getattr(item, "callspec", None)
    if callspec is not None and any(isinstance(v, str) and v in words for v in callspec.params.values()):
        return True
    name = getattr(item, "originalname", None) or item.name
    for other in sorted(OPS, key=len, reverse=True):
        if other != op and op in other:
            name = name.replace(other, "")
    return bool(re.search(rf"(^|_){op}($|_)", name))


# ---- what another run had to skip ----


def skipped_in(checkout: Path, key: str) -> frozenset[str]:
    """Names of the tests and files that the last run in a checkout skipped, as its pytest's cache has them."""
    path = checkout / ".pytest_cache" / "v" / key
    try:
        return frozenset(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise pytest.UsageError(f"--skipped-in {checkout}: no run of the tests there ({error.strerror})") from error


def is_among(item: pytest.Item, names: Set[str]) -> bool:
    """Whether a test, or the file or class that it is in, is among the names."""
    return any(node.nodeid in names for node in item.listchain() if node.nodeid)
