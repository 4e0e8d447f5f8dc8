/* Writes the endorsement of a utility VM that a lab's SNP reports are about to standard output:
 *
 *     uvm_endorsement LAB-FOLDER
 */
#include <skrfs/lab/hardware.h>
#include <stdio.h>

int main(int argc, char **argv) {
    struct skrfs_error err = {0};
    SKRFS_CLEANUP(skrfs_lab_hardware_free_p) struct skrfs_lab_hardware *hardware = NULL;
    skrfs_autobuf out = SKRFS_BUF((size_t)64 * 1024);
    if (argc != 2)
        return 2;
    if (skrfs_lab_hardware_load(argv[1], &hardware, &err) < 0 ||
            skrfs_lab_snp_endorsement(hardware, &out, &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    return fwrite(out.data, 1, out.len, stdout) == out.len ? 0 : 1;
}
