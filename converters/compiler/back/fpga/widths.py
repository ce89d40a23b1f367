"""Yosys' operators with operands as wide as their result, so that Verilog of them says what it means to the bit.

Verilog widens operands by rules that Verilator's lint warns of; here it is done by wires before the operator.
"""

from __future__ import annotations

_HEAD = """\
module \\${name} (A, B, Y);
parameter A_SIGNED = 0;
parameter B_SIGNED = 0;
parameter A_WIDTH = 1;
parameter B_WIDTH = 1;
parameter Y_WIDTH = 1;
input [A_WIDTH-1:0] A;
input [B_WIDTH-1:0] B;
output [Y_WIDTH-1:0] Y;
wire signed [A_WIDTH-1:0] signed_a = A;
wire signed [B_WIDTH-1:0] signed_b = B;
localparam AB = A_WIDTH > B_WIDTH ? A_WIDTH : B_WIDTH;
localparam AY = A_WIDTH > Y_WIDTH ? A_WIDTH : Y_WIDTH;
localparam ABY = AB > Y_WIDTH ? AB : Y_WIDTH;
"""
_ARITHMETIC = """\
wire [ABY-1:0] a, b, y;
generate
if (A_SIGNED) assign a = signed_a; else assign a = A;
if (B_SIGNED) assign b = signed_b; else assign b = B;
endgenerate
assign y = a {sign} b;
assign Y = y[Y_WIDTH-1:0];
endmodule
"""
_COMPARISON = """\
wire [AB-1:0] a, b;
wire y;
generate
if (A_SIGNED) begin
assign a = signed_a;
assign b = signed_b;
assign y = $signed(a) {sign} $signed(b);
end else begin
assign a = A;
assign b = B;
assign y = a {sign} b;
end
endgenerate
assign Y = y;
endmodule
"""
_SHIFT = """\
wire [AY-1:0] a, y;
generate
if (A_SIGNED) assign a = signed_a; else assign a = A;
if (A_SIGNED && {arithmetic}) assign y = $signed(a) >>> B; else assign y = a {sign} B;
endgenerate
assign Y = y[Y_WIDTH-1:0];
endmodule
"""
_NOT = """\
module \\$logic_not (A, Y);
parameter A_SIGNED = 0;
parameter A_WIDTH = 1;
parameter Y_WIDTH = 1;
input [A_WIDTH-1:0] A;
output [Y_WIDTH-1:0] Y;
wire any = |A;
assign Y = ~any;
endmodule
"""
_KINDS = (
    (_ARITHMETIC, {"add": "+", "sub": "-", "mul": "*"}),
    (_COMPARISON, {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}),
    (_SHIFT, {"shr": ">>", "sshr": ">>", "shl": "<<", "shift": ">>", "shiftx": ">>"}),
)


def techmap() -> str:
    """Return Verilog for Yosys' `techmap -max_iter 1`."""
    modules = [
        _HEAD.format(name=name) + body.format(sign=sign, arithmetic=int(name == "sshr"))
        for body, kinds in _KINDS
        for name, sign in kinds.items()
    ]
    return "\n".join([*modules, _NOT])
