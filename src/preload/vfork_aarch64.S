/* vfork: a hook, then a tail jump (see vfork_x86_64.S for the reason). x16 is the register of indirect tail calls that a
 * "bti c" landing pad accepts. */
	.text
	.globl vfork
	.globl __vfork
	.type vfork, %function
	.type __vfork, %function
	.p2align 4
vfork:
__vfork:
	.cfi_startproc
	hint #34 /* bti c */
	stp x29, x30, [sp, #-16]!
	.cfi_adjust_cfa_offset 16
	bl heaplog_before_vfork
	mov x16, x0
	ldp x29, x30, [sp], #16
	.cfi_adjust_cfa_offset -16
	br x16
	.cfi_endproc
	.size vfork, . - vfork
	.size __vfork, . - __vfork
	.section .note.GNU-stack, "", %progbits
