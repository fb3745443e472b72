/* SPDX-License-Identifier: Apache-2.0 */
/* What ESP-IDF's start-up code does at its end. */
void app_main(void);

int main(void)
{
    app_main();
    return 0;
}
