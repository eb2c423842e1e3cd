/* vfork: a hook, then a tail jump. No frame of ours may outlive the call: the child returns first and would overwrite it,
 * and the parent would then return through the ruins. Measured: a C wrapper kills the parent at -O0 and -O2. */
	.text
	.globl vfork
	.globl __vfork
	.type vfork, @function
	.type __vfork, @function
	.p2align 4
vfork:
__vfork:
	.cfi_startproc
	endbr64
	subq $8, %rsp
	.cfi_adjust_cfa_offset 8
	call heaplog_before_vfork
	addq $8, %rsp
	.cfi_adjust_cfa_offset -8
	jmp *%rax
	.cfi_endproc
	.size vfork, . - vfork
	.size __vfork, . - __vfork
	.section .note.GNU-stack, "", @progbits
	/* Say that this file keeps indirect branch tracking and shadow stacks intact, else the linker drops both. */
	.section .note.gnu.property, "a"
	.p2align 3
	.long 4, 16, 5
	.string "GNU"
	.long 0xc0000002, 4, 3, 0
