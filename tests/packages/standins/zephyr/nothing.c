/* SPDX-License-Identifier: Apache-2.0 */
/* A program needs a source. */
typedef int nothing;
