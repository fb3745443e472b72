/* SPDX-License-Identifier: Apache-2.0 */
/* The result of a generated network function. */
#ifndef EKC_STATUS_H
#define EKC_STATUS_H

typedef enum {
    EKC_OK = 0,
    EKC_ERROR_NULL = 1,      /* a pointer argument is NULL */
    EKC_ERROR_ALIGNMENT = 2  /* the arena is not 16-byte aligned */
} ekc_status;

#if defined(__GNUC__) || defined(__clang__)
#define EKC_MUST_USE __attribute__((warn_unused_result))
#else
#define EKC_MUST_USE
#endif

#endif
