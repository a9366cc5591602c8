/* SPDX-License-Identifier: MIT
 *
 * The code is x86-64, like the sandbox.
 */
#include "cli/attack/program.h"

#include <elf.h>
#include <string.h>

#define BASE 0x400000
#define CODE (sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr))
#define TEXT (CODE + 64)

/* pause() for ever */
static const unsigned char waits[] = {
	0xb8, 34,   0, 0, 0, /* mov $34,%eax */
	0x0f, 0x05,          /* syscall */
	0xeb, 0xf7,          /* jmp back */
};

/* write(fd, text, size); exit_group(0) */
static const unsigned char writes[] = {
	0xbf, 0,    0, 0, 0, /* mov $fd,%edi */
	0xbe, 0,    0, 0, 0, /* mov $text,%esi */
	0xba, 0,    0, 0, 0, /* mov $size,%edx */
	0xb8, 1,    0, 0, 0, /* mov $1,%eax */
	0x0f, 0x05,          /* syscall */
	0x31, 0xff,          /* xor %edi,%edi */
	0xb8, 231,  0, 0, 0, /* mov $231,%eax */
	0x0f, 0x05,          /* syscall */
};

static void put_number(unsigned char *at, uint32_t number) {
	memcpy(at, &number, sizeof number);
}

void attack_program_make(struct attack_program *ret, int fd, const char *text) {
	const Elf64_Ehdr head = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = BASE + CODE,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1,
	};
	const Elf64_Phdr segment = {
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_X,
		.p_vaddr = BASE,
		.p_filesz = sizeof *ret,
		.p_memsz = sizeof *ret,
		.p_align = 0x1000,
	};
	unsigned char *code = ret->bytes + CODE;
	size_t size = strlen(text) + 1;

	*ret = (struct attack_program){ { 0 } };
	memcpy(ret->bytes, &head, sizeof head);
	memcpy(ret->bytes + sizeof head, &segment, sizeof segment);
	if (fd < 0) {
		memcpy(code, waits, sizeof waits);
		return;
	}
	memcpy(code, writes, sizeof writes);
	put_number(code + 1, (uint32_t)fd);
	put_number(code + 6, BASE + TEXT);
	put_number(code + 11, (uint32_t)size);
	memcpy(ret->bytes + TEXT, text, size <= 32 ? size : 0);
}
