// The camera: its middle square, frame by frame, until the page is hidden or left.

const CAMERA_ERRORS = {
  NotAllowedError: "cameraDenied", SecurityError: "cameraDenied", NotFoundError: "noCamera", OverconstrainedError: "noCamera",
  NotReadableError: "cameraBusy", AbortError: "cameraBusy",
};
const camera = { stream: null, frozen: false, asked: 0, turn: 0, facing: "environment", device: null };

/** Start the camera; `see(rgba, side)` gets each frame, `changed(problem)` is told of every start, end and failure. */
async function startCamera(see, changed) {
  const asked = ++camera.asked;
  closeStream();
  try {
    const stream = await openStream();
    if (asked !== camera.asked || document.hidden) stream.getTracks().forEach((track) => track.stop());
    if (asked !== camera.asked) return;
    // It was left while the browser asked.
    if (document.hidden) return stopCamera({ key: "cameraPaused" }, changed);
    Object.assign(camera, { stream, frozen: false, see, changed });
    stream.getVideoTracks()[0].addEventListener("ended", () => stopCamera({ key: "cameraLost" }));
    byId("video").srcObject = stream;
    await byId("video").play();
    changed();
    watch(++camera.turn);
  } catch (error) {
    if (asked === camera.asked) stopCamera(cameraProblem(error), changed);
  }
}

function openStream() {
  if (!navigator.mediaDevices?.getUserMedia) throw new DOMException("", "insecure");
  const which = camera.device ? { deviceId: { exact: camera.device } } : { facingMode: { ideal: camera.facing } };
  return navigator.mediaDevices.getUserMedia({ video: { ...which, width: { ideal: 640 }, height: { ideal: 480 } }, audio: false });
}

function cameraProblem(error) {
  // It may be gone.
  camera.device = null;
  if (error.name === "insecure") return { key: "cameraInsecure" };
  return { key: CAMERA_ERRORS[error.name] ?? "cameraFailed", detail: error.message };
}

function closeStream() {
  camera.stream?.getTracks().forEach((track) => track.stop());
  byId("video").srcObject = null;
  camera.stream = null;
}

function stopCamera(problem, changed = camera.changed) {
  camera.asked++;
  closeStream();
  changed?.(problem);
}

function nextFrame(call) {
  const video = byId("video");
  if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(call);
  else requestAnimationFrame(call);
}

function watch(turn) {
  if (!camera.stream || camera.frozen || turn !== camera.turn) return;
  const frame = squareFrame();
  if (frame) camera.see(...frame);
  nextFrame(() => watch(turn));
}

/** Return [rgba, side] of the middle of the camera's picture as it is now, drawn on the page's canvas; null before the first. */
function squareFrame() {
  const { videoWidth: width, videoHeight: height } = byId("video");
  const side = Math.min(width, height);
  if (!side) return null;
  const canvas = byId("frame");
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const context = canvas.getContext("2d", { willReadFrequently: true, alpha: false });
  context.drawImage(byId("video"), (width - side) >> 1, (height - side) >> 1, side, side, 0, 0, side, side);
  return [new Uint8Array(context.getImageData(0, 0, side, side).data.buffer), side];
}

function freezeCamera(frozen) {
  camera.frozen = frozen;
  camera.changed();
  if (!frozen) watch(++camera.turn);
}

/** Say which other camera there is: by the way it faces where all tell that, as phones' do, or else by its turn. */
async function otherCamera() {
  const devices = (await navigator.mediaDevices.enumerateDevices()).filter((device) => device.kind === "videoinput");
  if (devices.length < 2 || !camera.stream) return null;
  const { facingMode, deviceId } = camera.stream.getVideoTracks()[0].getSettings();
  const ways = devices.map((device) => device.getCapabilities?.().facingMode ?? []);
  const facing = facingMode === "user" ? "environment" : "user";
  if (facingMode && ways.every((way) => way.length) && ways.some((way) => way.includes(facing))) return { facing, device: null };
  const at = devices.findIndex((device) => device.deviceId === deviceId);
  return { device: devices[(at + 1) % devices.length].deviceId };
}
